-- Reading by country and part of the reader's own day.
-- Grain: one row per event_date, country and daypart.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        country,
        case
            when local_hour < 6 then 'night'
            when local_hour < 12 then 'morning'
            when local_hour < 18 then 'afternoon'
            else 'evening'
        end as daypart,
        user_id,
        session_state,
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
daypart_users as (
    select
        event_date,
        country,
        daypart,
        user_id,
        count(*) as sessions,
        sum(is_complete) as completes,
        sum(is_exit) as exits,
        count(*) filter (where session_state = 'TIMEOUT_EXIT') as timeout_exits,
        count(*) filter (where duration_ms <= 10000) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        count(scroll_hundredths) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        count(duration_ms) as duration_sessions
    from sessions
    group by event_date, country, daypart, user_id
),

dayparts as (
    select
        event_date,
        country,
        daypart,
        sum(sessions) as sessions,
        count(*) as users,
        sum(completes) as completes,
        sum(exits) as exits,
        sum(timeout_exits) as timeout_exits,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions
    from daypart_users
    group by event_date, country, daypart
),

final as (
    select
        event_date,
        country,
        daypart,
        sessions,
        users,
        cast(completes as double) / sessions as completion_rate,
        cast(exits as double) / sessions as exit_rate,
        cast(timeout_exits as double) / sessions as timeout_exit_rate,
        case
            when scroll_sessions > 0 then cast(scroll_hundredths as double) / (100 * scroll_sessions)
            else 0
        end as avg_scroll_ratio,
        case
            when duration_sessions > 0 then cast(duration_ms as double) / duration_sessions
            else 0
        end as avg_duration_ms,
        cast(bounces as double) / sessions as bounce_ratio
    from dayparts
)

select * from final
