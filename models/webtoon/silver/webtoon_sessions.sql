-- One reading of one episode by one user, from its first event to its last.
-- Grain: one row per session_id, user_id, webtoon_id and episode_id.
{{ config(schema='silver', meta={'margin': '2h'}) }}

with

-- the window and the margin on both sides of it, so that a session over midnight is whole
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
        event_date
        >= cast(cast('{{ var("window_start") }}' as timestamp) - interval '{{ var("margin_seconds") }}' second as date)
        and event_date
        <= cast(cast('{{ var("window_end") }}' as timestamp) + interval '{{ var("margin_seconds") }}' second as date)
        and event_time
        >= cast('{{ var("window_start") }}+00:00' as timestamp with time zone)
        - interval '{{ var("margin_seconds") }}' second
        and event_time
        < cast('{{ var("window_end") }}+00:00' as timestamp with time zone)
        + interval '{{ var("margin_seconds") }}' second
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

-- event_order is the place of an event in its session. The few copies stand first in the join, and so do the few episodes below:
-- the first side is the one that is kept in memory.
kept_events as (
    select
        events.*,
        copies.dropped,
        (events.event_time, events.event_id) as event_order
    from copies
    right join events -- noqa: CV08
        on
            copies._partition = events._partition
            and copies._offset = events._offset
            and copies._topic_id = events._topic_id
    where copies.copy_no is null or copies.copy_no = 1
),

-- arg_min passes over events without a value; decimals round half up
all_sessions as (
    select
        session_id,
        user_id,
        webtoon_id,
        episode_id,
        cast(min(event_time) as date) as event_date,
        min(event_time) as start_time,
        max(event_time) as end_time,
        max(dwell_time_ms) as duration_ms,
        cast(max(scroll_ratio) as decimal(3, 2)) as max_scroll_ratio,
        max(scroll_event_count) as scroll_event_count,
        count(*) as event_count,
        coalesce(sum(dropped), 0) as duplicate_count,
        bool_or(event_type = 'enter') as seen_enter,
        bool_or(event_type = 'scroll') as seen_scroll,
        bool_or(event_type = 'complete') as seen_complete,
        bool_or(event_type = 'exit') as seen_exit,
        coalesce(arg_min(platform, event_order), 'UNKNOWN') as platform,
        coalesce(arg_min(country, event_order), 'UNKNOWN') as country,
        coalesce(arg_min(device, event_order), 'UNKNOWN') as device,
        coalesce(arg_min(browser, event_order), 'UNKNOWN') as browser,
        arg_min(network_type, event_order) as network_type,
        arg_min(experiment_name, event_order) as experiment_name,
        arg_min(experiment_group, event_order) as experiment_group,
        -- of the first event, also when it has none: no local time is empty
        nullif(arg_min(coalesce(local_timestamptz, ''), event_order), '') as local_timestamptz
    from kept_events
    group by session_id, user_id, webtoon_id, episode_id
),

-- the sessions that start inside the window
sessions as (
    select *
    from all_sessions
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
