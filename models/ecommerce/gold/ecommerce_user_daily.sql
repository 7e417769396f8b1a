-- What one user did on one day.
-- Grain: one row per event_date and user_id.
{{ config(schema='gold') }}

with

events as (
    select
        event_date,
        user_id,
        session_id,
        event_type,
        event_time,
        total_amount
    from {{ ref('ecommerce_events') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

-- per session first, so that sessions are counted without a distinct; the events without a session are one group
user_sessions as (
    select
        event_date,
        user_id,
        session_id,
        count(*) filter (where event_type = 'page_view') as page_views,
        count(*) filter (where event_type = 'click') as clicks,
        count(*) filter (where event_type = 'add_to_cart') as add_to_carts,
        count(*) filter (where event_type = 'purchase') as purchases,
        count(*) filter (where event_type = 'search') as searches,
        sum(total_amount) filter (where event_type = 'purchase') as amount,
        min(event_time) as first_event_at,
        max(event_time) as last_event_at
    from events
    group by event_date, user_id, session_id
),

sessions as (
    select
        *,
        case
            when session_id is not null
                then cast(extract(epoch from last_event_at) - extract(epoch from first_event_at) as decimal(18, 3))
            else 0
        end as duration_seconds
    from user_sessions
),

final as (
    select
        event_date,
        user_id,
        count(session_id) as session_count,
        sum(page_views) as page_view_count,
        sum(clicks) as click_count,
        sum(add_to_carts) as add_to_cart_count,
        sum(purchases) as purchase_count,
        sum(searches) as search_count,
        try_cast(coalesce(sum(amount), 0) as decimal(14, 2)) as total_purchase_amount,
        min(first_event_at) as first_event_at,
        max(last_event_at) as last_event_at,
        cast(sum(duration_seconds) as decimal(18, 3)) as session_duration_total_seconds
    from sessions
    group by event_date, user_id
)

select * from final
