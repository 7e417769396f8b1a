-- How the weather sells on one day, by sessions in the date of their start.
-- Grain: one row per event_date and weather_status.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        coalesce(weather_status, 'UNKNOWN') as weather_status,
        user_id,
        converted,
        revenue
    from {{ ref('ecommerce_sessions') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

-- per user first, so that users are counted without a distinct
users as (
    select
        event_date,
        weather_status,
        user_id,
        count(*) as sessions,
        count(*) filter (where converted) as conversions,
        sum(revenue) as revenue
    from sessions
    group by event_date, weather_status, user_id
),

final as (
    select
        event_date,
        weather_status,
        sum(sessions) as sessions,
        count(*) as users,
        sum(conversions) as conversions,
        try_cast(sum(revenue) as decimal(14, 2)) as revenue
    from users
    group by event_date, weather_status
)

select * from final
