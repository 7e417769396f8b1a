-- One reading of one episode by one user, from its first event to its last.
-- Grain: one row per session_id, user_id, webtoon_id and episode_id.
{{ config(schema='silver', meta={'margin': '2h'}) }}

with

-- the window and two hours on both sides of it, so that a session over midnight is whole
events as (
    select
        event_id,
        event_type,
        session_id,
        user_id,
        webtoon_id,
        episode_id,
        event_time,
        local_timestamptz,
        platform,
        country,
        device,
        browser,
        network_type,
        experiment_name,
        experiment_group,
        dwell_time_ms,
        scroll_ratio,
        scroll_event_count,
        coalesce(_topic_id, '') as _topic_id,
        _partition,
        _offset
    from {{ source('bronze', 'webtoon_events') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) - interval '2' hour as date)
        and event_date <= cast(cast('{{ var("window_end") }}' as timestamp) + interval '2' hour as date)
        and event_time >= cast('{{ var("window_start") }}+00:00' as timestamp with time zone) - interval '2' hour
        and event_time < cast('{{ var("window_end") }}+00:00' as timestamp with time zone) + interval '2' hour
),

episodes as (
    select
        webtoon_id,
        episode_id,
        genre,
        episode_no
    from {{ ref('episode_metadata') }}
),

-- few ids repeat: they are found first, so that only their events are ranked
repeated_ids as (
    select event_id
    from events
    group by event_id
    having count(*) > 1
),

-- The newest of an id's events is kept, the others are counted on it. A row of bronze is known by its place in Kafka: topic id,
-- partition and offset. Of two topics' events that agree in time, partition and offset, the one of the greater topic id is kept.
copies as (
    select
        events._topic_id,
        events._partition,
        events._offset,
        row_number() over (
            partition by events.event_id
            order by
                events.event_time desc, events._partition desc, events._offset desc, events._topic_id desc
        ) as copy_no,
        count(*) over (partition by events.event_id) - 1 as dropped
    from repeated_ids
    inner join events on repeated_ids.event_id = events.event_id
),

-- event_order sorts by event time, then id, and carries the local time along; its separator sorts before every letter and digit.
-- The few copies stand first in the join, and so do the few episodes below: the first side is the one that is kept in memory.
kept_events as (
    select
        events.*,
        copies.dropped,
        concat(
            cast(10000000000000 + cast(round(extract(epoch from events.event_time) * 1000) as bigint) as varchar),
            events.event_id,
            chr(1),
            events.local_timestamptz
        ) as event_order
    from copies
    right join events -- noqa: CV08
        on
            copies._partition = events._partition
            and copies._offset = events._offset
            and copies._topic_id = events._topic_id
    where copies.copy_no is null or copies.copy_no = 1
),

-- the events of a session that agree in every attribute, mostly the whole session: from here on there are few rows
pieces as (
    select
        session_id,
        user_id,
        webtoon_id,
        episode_id,
        platform,
        country,
        device,
        browser,
        network_type,
        experiment_name,
        experiment_group,
        min(event_order) as first_event,
        min(event_time) as start_time,
        max(event_time) as end_time,
        max(dwell_time_ms) as duration_ms,
        max(scroll_ratio) as max_scroll_ratio,
        max(scroll_event_count) as scroll_event_count,
        count(*) as event_count,
        sum(dropped) as duplicate_count,
        bool_or(event_type = 'enter') as seen_enter,
        bool_or(event_type = 'scroll') as seen_scroll,
        bool_or(event_type = 'complete') as seen_complete,
        bool_or(event_type = 'exit') as seen_exit
    from kept_events
    group by
        session_id, user_id, webtoon_id, episode_id,
        platform, country, device, browser, network_type, experiment_name, experiment_group
),

ordered_pieces as (
    select
        *,
        concat(split_part(first_event, chr(1), 1), chr(1)) as piece_order,
        split_part(first_event, chr(1), 2) as local_timestamptz,
        (
            platform is not null and country is not null and device is not null and browser is not null
            and network_type is not null and experiment_name is not null and experiment_group is not null
        ) as has_all
    from pieces
),

-- The smallest (order, value) of an attribute is the value of the earliest piece that has one. Most pieces have every attribute
-- and are packed once, with separators between; in the others each attribute stands alone, behind as many separators.
packed_sessions as (
    select
        session_id,
        user_id,
        webtoon_id,
        episode_id,
        min(
            case
                when has_all
                    then
                        concat(
                            piece_order, platform, chr(1), country, chr(1), device, chr(1), browser, chr(1),
                            network_type, chr(1), experiment_name, chr(1), experiment_group, chr(1), local_timestamptz
                        )
            end
        ) as attributes,
        min(case when not has_all then piece_order || platform end) as platform,
        min(case when not has_all then piece_order || repeat(chr(1), 1) || country end) as country,
        min(case when not has_all then piece_order || repeat(chr(1), 2) || device end) as device,
        min(case when not has_all then piece_order || repeat(chr(1), 3) || browser end) as browser,
        min(case when not has_all then piece_order || repeat(chr(1), 4) || network_type end) as network_type,
        min(case when not has_all then piece_order || repeat(chr(1), 5) || experiment_name end) as experiment_name,
        min(case when not has_all then piece_order || repeat(chr(1), 6) || experiment_group end) as experiment_group,
        min(case when not has_all then piece_order || repeat(chr(1), 7) || local_timestamptz end) as local_timestamptz,
        min(start_time) as start_time,
        max(end_time) as end_time,
        max(duration_ms) as duration_ms,
        max(max_scroll_ratio) as max_scroll_ratio,
        max(scroll_event_count) as scroll_event_count,
        sum(event_count) as event_count,
        sum(duplicate_count) as duplicate_count,
        bool_or(seen_enter) as seen_enter,
        bool_or(seen_scroll) as seen_scroll,
        bool_or(seen_complete) as seen_complete,
        bool_or(seen_exit) as seen_exit
    from ordered_pieces
    group by session_id, user_id, webtoon_id, episode_id
),

-- the sessions that start inside the window; least() passes over nulls, decimals round half up
sessions as (
    select
        session_id,
        user_id,
        webtoon_id,
        episode_id,
        cast(start_time as date) as event_date,
        start_time,
        end_time,
        duration_ms,
        cast(max_scroll_ratio as decimal(3, 2)) as max_scroll_ratio,
        scroll_event_count,
        event_count,
        coalesce(duplicate_count, 0) as duplicate_count,
        seen_enter,
        seen_scroll,
        seen_complete,
        seen_exit,
        coalesce(split_part(least(attributes, platform), chr(1), 2), 'UNKNOWN') as platform,
        coalesce(split_part(least(attributes, country), chr(1), 3), 'UNKNOWN') as country,
        coalesce(split_part(least(attributes, device), chr(1), 4), 'UNKNOWN') as device,
        coalesce(split_part(least(attributes, browser), chr(1), 5), 'UNKNOWN') as browser,
        split_part(least(attributes, network_type), chr(1), 6) as network_type,
        split_part(least(attributes, experiment_name), chr(1), 7) as experiment_name,
        split_part(least(attributes, experiment_group), chr(1), 8) as experiment_group,
        nullif(split_part(least(attributes, local_timestamptz), chr(1), 9), '') as local_timestamptz
    from packed_sessions
    where
        start_time >= cast('{{ var("window_start") }}+00:00' as timestamp with time zone)
        and start_time < cast('{{ var("window_end") }}+00:00' as timestamp with time zone)
),

-- a null ratio decides nothing: neither COMPLETE nor EXIT. Days of the week count from Monday = 1 to Sunday = 7
judged_sessions as (
    select
        *,
        case
            when seen_complete and max_scroll_ratio >= 0.95 then 'COMPLETE'
            when seen_exit and max_scroll_ratio < 0.95 then 'EXIT'
            when end_time < cast('{{ var("as_of") }}+00:00' as timestamp with time zone) - interval '600' second
                then 'TIMEOUT_EXIT'
            else 'IN_PROGRESS'
        end as session_state,
        coalesce(
            cast(substr(local_timestamptz, 12, 2) as integer),
            cast(extract(hour from start_time) as integer)
        ) as local_hour,
        cast(
            extract(dow from coalesce(cast(substr(local_timestamptz, 1, 10) as date), event_date)) as integer
        ) as days_since_sunday
    from sessions
),

final as (
    select
        judged_sessions.event_date,
        judged_sessions.session_id,
        judged_sessions.user_id,
        judged_sessions.webtoon_id,
        judged_sessions.episode_id,
        judged_sessions.start_time,
        judged_sessions.end_time,
        judged_sessions.duration_ms,
        judged_sessions.max_scroll_ratio,
        judged_sessions.scroll_event_count,
        judged_sessions.event_count,
        judged_sessions.duplicate_count,
        judged_sessions.seen_enter,
        judged_sessions.seen_scroll,
        judged_sessions.seen_complete,
        judged_sessions.seen_exit,
        judged_sessions.session_state,
        case when judged_sessions.session_state = 'COMPLETE' then 1 else 0 end as is_complete,
        case when judged_sessions.session_state in ('EXIT', 'TIMEOUT_EXIT') then 1 else 0 end as is_exit,
        judged_sessions.platform,
        judged_sessions.country,
        judged_sessions.device,
        judged_sessions.browser,
        judged_sessions.network_type,
        judged_sessions.experiment_name,
        judged_sessions.experiment_group,
        judged_sessions.local_hour,
        case when judged_sessions.days_since_sunday = 0 then 7 else judged_sessions.days_since_sunday end
            as local_day_of_week,
        coalesce(episodes.genre, 'UNKNOWN') as genre,
        episodes.episode_no
    from episodes
    right join judged_sessions -- noqa: CV08
        on
            episodes.webtoon_id = judged_sessions.webtoon_id
            and episodes.episode_id = judged_sessions.episode_id
)

select * from final
