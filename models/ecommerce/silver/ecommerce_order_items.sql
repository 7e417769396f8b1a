-- What was bought: the lines of the purchases of a day.
-- Grain: one row per purchase and line_no. A purchase is known by its place in Kafka, because its order_id can be missing or
-- repeat.
{{ config(schema='silver') }}

with

-- the purchases that count, each once
purchases as (
    select
        event_date,
        event_id,
        order_id,
        user_id,
        session_id,
        event_time,
        platform,
        _topic_id,
        _partition,
        _offset
    from {{ ref('ecommerce_events') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
        and event_type = 'purchase'
),

lists as (
    select
        coalesce(_topic_id, '') as _topic_id,
        _partition,
        _offset,
        products
    from {{ source('bronze', 'ecommerce_events') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
        and event_type = 'purchase'
        and array_length(products) > 0
),

lines as (
    select
        purchases.*,
        unnest(lists.products) as line,
        unnest(range(1, cast(array_length(lists.products) as bigint) + 1)) as line_no
    from purchases
    inner join lists
        on
            purchases._partition = lists._partition
            and purchases._offset = lists._offset
            and purchases._topic_id = lists._topic_id
),

final as (
    select
        event_date,
        event_id,
        order_id,
        cast(line_no as bigint) as line_no,
        user_id,
        session_id,
        event_time,
        platform,
        line['product_id'] as product_id,
        line['quantity'] as quantity,
        line['unit_price'] as unit_price,
        try_cast(line['unit_price'] * line['quantity'] as decimal(14, 2)) as amount,
        _topic_id,
        _partition,
        _offset
    from lines
)

select * from final
