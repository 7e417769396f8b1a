-- Readings of one episode that started in one hour.
-- Grain: one row per event_date, event_hour, webtoon_id and episode_id.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        cast(extract(hour from start_time) as integer) as event_hour,
        webtoon_id,
        episode_id,
        user_id,
        is_complete,
        is_exit,
        cast(max_scroll_ratio * 100 as bigint) as scroll_hundredths,
        cast(duration_ms as decimal(19, 0)) as duration_ms
    from {{ ref('webtoon_sessions') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

-- per user first, so that users are counted without a distinct
user_episodes as (
    select
        event_date,
        event_hour,
        webtoon_id,
        episode_id,
        user_id,
        count(*) as sessions,
        sum(is_complete) as completes,
        sum(is_exit) as exits,
        count(*) filter (where duration_ms <= 10000) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        count(scroll_hundredths) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        count(duration_ms) as duration_sessions
    from sessions
    group by event_date, event_hour, webtoon_id, episode_id, user_id
),

episodes as (
    select
        event_date,
        event_hour,
        webtoon_id,
        episode_id,
        sum(sessions) as sessions,
        sum(completes) as completes,
        sum(exits) as exits,
        count(*) as unique_users,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions
    from user_episodes
    group by event_date, event_hour, webtoon_id, episode_id
),

final as (
    select
        event_date,
        event_hour,
        webtoon_id,
        episode_id,
        sessions,
        completes,
        exits,
        unique_users,
        case
            when scroll_sessions > 0 then cast(scroll_hundredths as double) / (100 * scroll_sessions)
            else 0
        end as avg_scroll_ratio,
        case
            when duration_sessions > 0 then cast(duration_ms as double) / duration_sessions
            else 0
        end as avg_duration_ms,
        cast(bounces as double) / sessions as bounce_ratio
    from episodes
)

select * from final
