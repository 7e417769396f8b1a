-- What one user did on one day.
-- Grain: one row per event_date and user_id.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        user_id,
        session_id,
        webtoon_id,
        episode_id,
        genre,
        local_hour,
        session_state,
        is_complete,
        is_exit,
        cast(max_scroll_ratio * 100 as bigint) as scroll_hundredths,
        cast(duration_ms as decimal(19, 0)) as duration_ms,
        start_time,
        end_time
    from {{ ref('webtoon_sessions') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

-- per episode first, so that distinct episodes are counted without a distinct
user_episodes as (
    select
        event_date,
        user_id,
        webtoon_id,
        episode_id,
        count(*) as sessions,
        sum(is_complete) as completes,
        sum(is_exit) as exits,
        count(*) filter (where session_state = 'IN_PROGRESS') as incompletes,
        count(*) filter (where duration_ms <= 10000) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        count(scroll_hundredths) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        count(duration_ms) as duration_sessions
    from sessions
    group by event_date, user_id, webtoon_id, episode_id
),

users as (
    select
        event_date,
        user_id,
        sum(sessions) as sessions,
        sum(completes) as complete_sessions,
        sum(exits) as exit_sessions,
        sum(incompletes) as incomplete_sessions,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions,
        count(*) as distinct_episode_views,
        count(*) filter (where completes > 0) as distinct_episode_completes,
        sum(case when completes > 1 then completes - 1 else 0 end) as repeat_episode_complete_count
    from user_episodes
    group by event_date, user_id
),

distinct_episode_sessions as (
    select
        event_date,
        user_id,
        session_id,
        episode_id
    from sessions
    group by event_date, user_id, session_id, episode_id
),

episode_sessions as (
    select
        event_date,
        user_id,
        count(*) as total_episode_sessions
    from distinct_episode_sessions
    group by event_date, user_id
),

-- every session but the first of the day has a previous one; two that start and end together are interchangeable
previous_sessions as (
    select
        event_date,
        user_id,
        start_time,
        lag(end_time) over (partition by event_date, user_id order by start_time, end_time) as previous_end_time
    from sessions
),

intervals as (
    select
        event_date,
        user_id,
        cast(floor(extract(epoch from start_time)) as bigint)
        - cast(floor(extract(epoch from previous_end_time)) as bigint) as seconds
    from previous_sessions
    where previous_end_time is not null
),

returns as (
    select
        event_date,
        user_id,
        count(*) as intervals,
        sum(case when seconds > 0 then seconds else 0 end) as interval_seconds
    from intervals
    group by event_date, user_id
),

user_genres as (
    select
        event_date,
        user_id,
        genre,
        count(*) as sessions
    from sessions
    group by event_date, user_id, genre
),

ranked_genres as (
    select
        event_date,
        user_id,
        genre,
        row_number() over (partition by event_date, user_id order by sessions desc, genre) as genre_rank
    from user_genres
),

user_hours as (
    select
        event_date,
        user_id,
        local_hour
    from sessions
    group by event_date, user_id, local_hour
),

hours as (
    select
        event_date,
        user_id,
        count(*) as active_hours
    from user_hours
    group by event_date, user_id
),

final as (
    select
        users.event_date,
        users.user_id,
        episode_sessions.total_episode_sessions,
        users.complete_sessions,
        users.exit_sessions,
        users.incomplete_sessions,
        case
            when users.scroll_sessions > 0
                then cast(users.scroll_hundredths as double) / (100 * users.scroll_sessions)
            else 0
        end as avg_scroll_ratio,
        case
            when users.duration_sessions > 0
                then cast(users.duration_ms as double) / users.duration_sessions
            else 0
        end as avg_duration_ms,
        cast(users.bounces as double) / users.sessions as bounce_ratio,
        users.distinct_episode_views,
        users.distinct_episode_completes,
        cast(users.complete_sessions as double) / episode_sessions.total_episode_sessions as completion_rate,
        cast(users.exit_sessions as double) / episode_sessions.total_episode_sessions as exit_rate,
        users.distinct_episode_views > 1 as multi_episode_read_flag,
        case
            when returns.intervals > 0
                then cast(returns.interval_seconds as double) / returns.intervals
            else 0
        end as avg_return_interval_sec,
        users.repeat_episode_complete_count,
        ranked_genres.genre as top_genre,
        hours.active_hours
    from users
    inner join episode_sessions
        on
            users.event_date = episode_sessions.event_date
            and users.user_id = episode_sessions.user_id
    inner join ranked_genres
        on
            users.event_date = ranked_genres.event_date
            and users.user_id = ranked_genres.user_id
            and ranked_genres.genre_rank = 1
    inner join hours
        on
            users.event_date = hours.event_date
            and users.user_id = hours.user_id
    left join returns
        on
            users.event_date = returns.event_date
            and users.user_id = returns.user_id
)

select * from final
