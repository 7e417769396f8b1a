-- Readings of one user that started in one hour.
-- Grain: one row per event_date, event_hour and user_id.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        cast(extract(hour from start_time) as integer) as event_hour,
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

users as (
    select
        event_date,
        event_hour,
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
    group by event_date, event_hour, user_id
),

final as (
    select
        event_date,
        event_hour,
        user_id,
        sessions,
        completes,
        exits,
        1 as unique_users,
        case
            when scroll_sessions > 0 then cast(scroll_hundredths as double) / (100 * scroll_sessions)
            else 0
        end as avg_scroll_ratio,
        case
            when duration_sessions > 0 then cast(duration_ms as double) / duration_sessions
            else 0
        end as avg_duration_ms,
        cast(bounces as double) / sessions as bounce_ratio
    from users
)

select * from final
