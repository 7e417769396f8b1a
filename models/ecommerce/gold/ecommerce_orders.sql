-- The orders of a day.
-- Grain: one row per event_date and order_id.
{{ config(schema='gold') }}

with

-- a purchase without an order_id (the short dialect has none) is no order that can be named
purchases as (
    select
        event_date,
        order_id,
        user_id,
        event_time,
        total_amount,
        payment_method,
        platform,
        discount_amount,
        shipping_fee,
        coupon_code,
        _topic_id,
        _partition,
        _offset
    from {{ ref('ecommerce_events') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
        and event_type = 'purchase'
        and order_id <> ''
),

-- an order that was sent again under another event_id is the newest of its purchases
ranked_purchases as (
    select
        *,
        row_number() over (
            partition by event_date, order_id
            order by event_time desc, _partition desc, _offset desc, _topic_id desc
        ) as copy_no
    from purchases
),

items as (
    select
        _topic_id,
        _partition,
        _offset,
        count(*) as items
    from {{ ref('ecommerce_order_items') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
    group by _topic_id, _partition, _offset
),

final as (
    select
        purchases.event_date,
        purchases.order_id,
        purchases.user_id,
        purchases.event_time as order_timestamp,
        purchases.total_amount,
        purchases.payment_method,
        purchases.platform,
        cast(coalesce(purchases.discount_amount, 0) as decimal(14, 2)) as discount_amount,
        cast(coalesce(purchases.shipping_fee, 0) as decimal(14, 2)) as shipping_fee,
        purchases.coupon_code,
        coalesce(items.items, 0) as item_count
    from ranked_purchases as purchases
    left join items
        on
            purchases._partition = items._partition
            and purchases._offset = items._offset
            and purchases._topic_id = items._topic_id
    where purchases.copy_no = 1
)

select * from final
