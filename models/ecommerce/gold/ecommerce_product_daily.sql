-- What became of one product on one day: clicks and carts name it themselves, purchases through their lines.
-- Grain: one row per event_date and product_id.
{{ config(schema='gold') }}

with

events as (
    select
        event_date,
        product_id,
        user_id,
        event_type
    from {{ ref('ecommerce_events') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
        and event_type in ('click', 'add_to_cart')
        and product_id is not null
),

items as (
    select
        event_date,
        product_id,
        user_id,
        quantity,
        cast(unit_price * quantity as decimal(38, 2)) as amount
    from {{ ref('ecommerce_order_items') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
        and product_id is not null
),

-- per user first, so that users are counted without a distinct
looks as (
    select
        event_date,
        product_id,
        user_id,
        count(*) filter (where event_type = 'click') as clicks,
        count(*) filter (where event_type = 'add_to_cart') as carts,
        0 as lines,
        cast(0 as decimal(38, 2)) as amount,
        0 as units
    from events
    group by event_date, product_id, user_id
),

purchases as (
    select
        event_date,
        product_id,
        user_id,
        0 as clicks,
        0 as carts,
        count(*) as lines,
        cast(coalesce(sum(amount), 0) as decimal(38, 2)) as amount,
        cast(coalesce(sum(quantity), 0) as bigint) as units
    from items
    group by event_date, product_id, user_id
),

both_kinds as (
    select * from looks
    union all
    select * from purchases
),

users as (
    select
        event_date,
        product_id,
        user_id,
        sum(clicks) as clicks,
        sum(carts) as carts,
        sum(lines) as lines,
        sum(amount) as amount,
        sum(units) as units
    from both_kinds
    group by event_date, product_id, user_id
),

products as (
    select
        event_date,
        product_id,
        sum(clicks) as click_count,
        sum(carts) as cart_add_count,
        sum(lines) as purchase_count,
        try_cast(sum(amount) as decimal(14, 2)) as revenue,
        sum(units) as units_sold,
        count(*) filter (where clicks > 0) as unique_viewers,
        count(*) filter (where lines > 0) as unique_buyers
    from users
    group by event_date, product_id
),

-- percent with two decimals, halves up: whole numbers are divided once, so the last digit is exact
final as (
    select
        *,
        case
            when unique_viewers > 0
                then cast(floor((20000.0 * unique_buyers + unique_viewers) / (2.0 * unique_viewers)) / 100 as decimal(12, 2))
        end as conversion_rate
    from products
)

select * from final
