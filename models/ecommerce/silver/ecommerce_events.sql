-- The events of a day, each of them once.
-- Grain: one row per event_id; one row per message where an event has no id.
{{ config(schema='silver', meta={'margin': '2h'}) }}

with

-- the window and the margin on both sides of it, so that the copies of an event over midnight are found
events as (
    select
        event_id,
        event_type,
        user_id,
        nullif(session_id, '') as session_id,
        event_time,
        platform,
        device_type,
        os,
        browser,
        page_url,
        page_type,
        referrer,
        element_id,
        element_type,
        product_id,
        category_id,
        "position", -- noqa: RF06
        quantity,
        unit_price,
        price,
        source_page,
        is_recommendation,
        order_id,
        total_amount,
        payment_method,
        discount_amount,
        shipping_fee,
        coupon_code,
        search_query,
        result_count,
        weather_status,
        temperature,
        time_of_day,
        day_of_week,
        login_status,
        user_segment,
        utm_source,
        utm_campaign,
        coalesce(_topic_id, '') as _topic_id,
        _partition,
        _offset
    from {{ source('bronze', 'ecommerce_events') }}
    where
        event_date
        >= cast(cast('{{ var("window_start") }}' as timestamp) - interval '{{ var("margin_seconds") }}' second as date)
        and event_date
        <= cast(cast('{{ var("window_end") }}' as timestamp) + interval '{{ var("margin_seconds") }}' second as date)
        and event_time
        >= cast('{{ var("window_start") }}+00:00' as timestamp with time zone)
        - interval '{{ var("margin_seconds") }}' second
        and event_time
        < cast('{{ var("window_end") }}+00:00' as timestamp with time zone)
        + interval '{{ var("margin_seconds") }}' second
),

-- Few ids repeat: they are found first, so that only their events are ranked. An event without an id is known by its place in
-- Kafka, so it has no copies.
repeated_ids as (
    select event_id
    from events
    where event_id <> ''
    group by event_id
    having count(*) > 1
),

-- the newest of an id's events is kept, of those that agree in time the one that stands last in Kafka
copies as (
    select
        events._topic_id,
        events._partition,
        events._offset,
        row_number() over (
            partition by events.event_id
            order by
                events.event_time desc, events._partition desc, events._offset desc, events._topic_id desc
        ) as copy_no,
        count(*) over (partition by events.event_id) - 1 as dropped
    from repeated_ids
    inner join events on repeated_ids.event_id = events.event_id
),

-- the few copies stand first in the join: the first side is the one that is kept in memory
final as (
    select
        cast(events.event_time as date) as event_date,
        events.*,
        coalesce(copies.dropped, 0) as duplicate_count
    from copies
    right join events -- noqa: CV08
        on
            copies._partition = events._partition
            and copies._offset = events._offset
            and copies._topic_id = events._topic_id
    where
        (copies.copy_no is null or copies.copy_no = 1)
        and events.event_time >= cast('{{ var("window_start") }}+00:00' as timestamp with time zone)
        and events.event_time < cast('{{ var("window_end") }}+00:00' as timestamp with time zone)
)

select * from final
