-- How one webtoon was read on one day, over all its episodes.
-- Grain: one row per event_date and webtoon_id.
{{ config(schema='gold', meta={'lookback': '1d'}) }}

with

-- the window and the day before it, for who came back
sessions as (
    select
        event_date,
        user_id,
        webtoon_id,
        episode_id,
        session_state,
        is_complete,
        is_exit,
        cast(max_scroll_ratio * 100 as bigint) as scroll_hundredths,
        cast(duration_ms as decimal(19, 0)) as duration_ms
    from {{ ref('webtoon_sessions') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) - interval '1' day as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

window_sessions as (
    select * from sessions
    where event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
),

-- users and episodes are counted without a distinct: per user and episode, then per user, then per webtoon
user_episodes as (
    select
        event_date,
        user_id,
        webtoon_id,
        episode_id,
        count(*) as sessions,
        sum(is_complete) as completes,
        sum(is_exit) as exits,
        count(*) filter (where session_state = 'TIMEOUT_EXIT') as timeout_exits,
        count(*) filter (where session_state = 'IN_PROGRESS') as incompletes,
        count(*) filter (where duration_ms <= 10000) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        count(scroll_hundredths) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        count(duration_ms) as duration_sessions,
        sum(scroll_hundredths) filter (where is_exit = 1) as exit_scroll_hundredths,
        count(scroll_hundredths) filter (where is_exit = 1) as exit_scroll_sessions
    from window_sessions
    group by event_date, user_id, webtoon_id, episode_id
),

user_titles as (
    select
        event_date,
        user_id,
        webtoon_id,
        count(*) as episodes,
        sum(sessions) as sessions,
        sum(completes) as completes,
        sum(exits) as exits,
        sum(timeout_exits) as timeout_exits,
        sum(incompletes) as incompletes,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions,
        sum(exit_scroll_hundredths) as exit_scroll_hundredths,
        sum(exit_scroll_sessions) as exit_scroll_sessions
    from user_episodes
    group by event_date, user_id, webtoon_id
),

titles as (
    select
        event_date,
        webtoon_id,
        sum(sessions) as total_sessions,
        sum(completes) as complete_sessions,
        sum(exits) as exit_sessions,
        sum(timeout_exits) as timeout_exit_sessions,
        sum(incompletes) as incomplete_sessions,
        count(*) as unique_users,
        count(*) filter (where completes > 0) as unique_complete_users,
        count(*) filter (where exits > 0) as unique_exit_users,
        count(*) filter (where episodes > 1) as binge_users,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions,
        sum(exit_scroll_hundredths) as exit_scroll_hundredths,
        sum(exit_scroll_sessions) as exit_scroll_sessions
    from user_titles
    group by event_date, webtoon_id
),

episodes as (
    select
        event_date,
        webtoon_id,
        episode_id,
        case
            when count(scroll_hundredths) > 0
                then cast(sum(scroll_hundredths) as double) / (100 * count(scroll_hundredths))
            else 0
        end as avg_scroll_ratio
    from window_sessions
    group by event_date, webtoon_id, episode_id
),

ranked_episodes as (
    select
        event_date,
        webtoon_id,
        episode_id,
        row_number() over (
            partition by event_date, webtoon_id
            order by avg_scroll_ratio desc, episode_id
        ) as episode_rank
    from episodes
),

-- who read what on which day, the day before the window included
readers as (
    select
        event_date,
        webtoon_id,
        user_id
    from sessions
    group by event_date, webtoon_id, user_id
),

previous_readers as (
    select
        cast(event_date + interval '1' day as date) as event_date,
        webtoon_id,
        user_id
    from readers
),

retention as (
    select
        previous_readers.event_date,
        previous_readers.webtoon_id,
        cast(count(readers.user_id) as double) / count(*) as webtoon_retention_rate
    from previous_readers
    left join readers
        on
            previous_readers.event_date = readers.event_date
            and previous_readers.webtoon_id = readers.webtoon_id
            and previous_readers.user_id = readers.user_id
    group by previous_readers.event_date, previous_readers.webtoon_id
),

final as (
    select
        titles.event_date,
        titles.webtoon_id,
        titles.total_sessions,
        titles.complete_sessions,
        titles.exit_sessions,
        titles.incomplete_sessions,
        titles.unique_users,
        titles.unique_complete_users,
        titles.unique_exit_users,
        case
            when titles.scroll_sessions > 0
                then cast(titles.scroll_hundredths as double) / (100 * titles.scroll_sessions)
            else 0
        end as avg_scroll_ratio,
        case
            when titles.duration_sessions > 0
                then cast(titles.duration_ms as double) / titles.duration_sessions
            else 0
        end as avg_duration_ms,
        cast(titles.complete_sessions as double) / titles.total_sessions as completion_rate,
        cast(titles.exit_sessions as double) / titles.total_sessions as exit_rate,
        cast(titles.timeout_exit_sessions as double) / titles.total_sessions as timeout_exit_rate,
        cast(titles.bounces as double) / titles.total_sessions as bounce_ratio,
        case
            when titles.exit_scroll_sessions > 0
                then cast(titles.exit_scroll_hundredths as double) / (100 * titles.exit_scroll_sessions)
            else 0
        end as scroll_dropoff_point,
        ranked_episodes.episode_id as deepest_episode_reached,
        cast(titles.binge_users as double) / titles.unique_users as binge_read_ratio,
        coalesce(retention.webtoon_retention_rate, 0) as webtoon_retention_rate
    from titles
    inner join ranked_episodes
        on
            titles.event_date = ranked_episodes.event_date
            and titles.webtoon_id = ranked_episodes.webtoon_id
            and ranked_episodes.episode_rank = 1
    left join retention
        on
            titles.event_date = retention.event_date
            and titles.webtoon_id = retention.webtoon_id
)

select * from final
