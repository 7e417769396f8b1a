-- Six gold tables and the sessions from the messages as they were sent, in PostgreSQL. Table messages (kafka_partition, kafka_offset, dialect, body, details):
-- those that are events, details as an object. Each statement is one table, named in the line before it.

-- prepare
create temp table events as
with mapped as (
    select
        kafka_partition,
        kafka_offset,
        body ->> 'event_id' as event_id,
        case body ->> 'event_type' when 'view' then 'page_view' when 'cart' then 'add_to_cart' else body ->> 'event_type' end as event_type,
        body ->> 'user_id' as user_id,
        body ->> 'session_id' as session_id,
        case
            when dialect = 'short' then (body ->> 'event_time')::timestamptz
            when jsonb_typeof(body -> 'timestamp') = 'number'
                then 'epoch'::timestamptz + (body ->> 'timestamp')::bigint * interval '1 millisecond'
            else (body ->> 'timestamp')::timestamptz
        end as at,
        body ->> 'platform' as platform,
        case when dialect = 'nested' then body #>> '{context,device,type}' else body ->> 'device_type' end as device_type,
        case when dialect = 'nested' then body #>> '{context,page,url}' else body ->> 'page_url' end as page_url,
        body #>> '{context,weather,status}' as weather_status,
        body #>> '{context,campaign,utm_source}' as utm_source,
        body #>> '{context,campaign,utm_campaign}' as utm_campaign,
        case when dialect = 'nested' then body -> 'properties' else body end as fields,
        details
    from messages
),

ranked as (
    select
        *,
        row_number() over (
            partition by event_id order by at desc, kafka_partition desc, kafka_offset desc
        ) as copy_no
    from mapped
)

select
    (at at time zone 'UTC')::date as event_date,
    *
from ranked
where event_id is null or copy_no = 1;

-- prepare
create temp table lines as
select
    events.event_date,
    events.kafka_partition,
    events.kafka_offset,
    events.user_id,
    line ->> 'product_id' as product_id,
    (line ->> 'quantity')::bigint as quantity,
    (line ->> 'unit_price')::numeric as unit_price
from events
cross join lateral jsonb_array_elements(events.details -> 'products') as line
where events.event_type = 'purchase' and jsonb_typeof(events.details -> 'products') = 'array';

-- prepare
create temp table in_order as
select
    *,
    row_number() over (partition by session_id order by at, kafka_partition, kafka_offset) as place
from events
where session_id is not null;

-- prepare
create temp table sessions as
select
    (min(at) at time zone 'UTC')::date as event_date,
    session_id,
    (array_agg(user_id order by place))[1] as user_id,
    min(at) as start_time,
    max(at) as end_time,
    extract(epoch from max(at) - min(at)) as duration_seconds,
    count(*) as event_count,
    count(*) filter (where event_type = 'page_view') as page_view_count,
    count(*) filter (where event_type = 'click') as click_count,
    count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count,
    count(*) filter (where event_type = 'purchase') as purchase_count,
    count(*) filter (where event_type = 'search') as search_count,
    coalesce((array_agg(platform order by place) filter (where platform is not null))[1], 'UNKNOWN') as platform,
    coalesce((array_agg(device_type order by place) filter (where device_type is not null))[1], 'UNKNOWN') as device_type,
    bool_or(event_type = 'purchase') as converted,
    coalesce(sum((fields ->> 'total_amount')::numeric) filter (where event_type = 'purchase'), 0) as revenue,
    (array_agg(page_url order by place) filter (where page_url is not null))[1] as landing_page,
    (array_agg(weather_status order by place) filter (where weather_status is not null))[1] as weather_status,
    (array_agg(utm_source order by place) filter (where utm_source is not null))[1] as utm_source,
    (array_agg(utm_campaign order by place) filter (where utm_campaign is not null))[1] as utm_campaign
from in_order
group by session_id;

-- silver.ecommerce_sessions
select * from sessions;

-- gold.ecommerce_campaign_daily
select
    event_date,
    coalesce(utm_source, 'UNKNOWN') as utm_source,
    coalesce(utm_campaign, 'UNKNOWN') as utm_campaign,
    count(*) as sessions,
    count(distinct user_id) as users,
    count(*) filter (where converted) as conversions,
    sum(revenue) as revenue
from sessions
group by 1, 2, 3;

-- gold.ecommerce_weather_daily
select
    event_date,
    coalesce(weather_status, 'UNKNOWN') as weather_status,
    count(*) as sessions,
    count(distinct user_id) as users,
    count(*) filter (where converted) as conversions,
    sum(revenue) as revenue
from sessions
group by 1, 2;

-- gold.ecommerce_user_daily
with spans as (
    select
        event_date,
        user_id,
        session_id,
        extract(epoch from max(at) - min(at)) as seconds
    from events
    where session_id is not null
    group by event_date, user_id, session_id
)

select
    event_date,
    user_id,
    count(distinct session_id) as session_count,
    count(*) filter (where event_type = 'page_view') as page_view_count,
    count(*) filter (where event_type = 'click') as click_count,
    count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count,
    count(*) filter (where event_type = 'purchase') as purchase_count,
    count(*) filter (where event_type = 'search') as search_count,
    coalesce(sum((fields ->> 'total_amount')::numeric) filter (where event_type = 'purchase'), 0) as total_purchase_amount,
    min(at) as first_event_at,
    max(at) as last_event_at,
    (
        select coalesce(sum(seconds), 0)
        from spans
        where spans.event_date = events.event_date and spans.user_id = events.user_id
    ) as session_duration_total_seconds
from events
group by event_date, user_id;

-- gold.ecommerce_funnel_daily
with steps as (
    select
        event_date,
        coalesce(platform, 'UNKNOWN') as platform,
        count(distinct user_id) filter (where event_type = 'page_view') as step1_viewers,
        count(distinct user_id) filter (where event_type = 'click') as step2_clickers,
        count(distinct user_id) filter (where event_type = 'add_to_cart') as step3_cart_adders,
        count(distinct user_id) filter (where event_type = 'purchase') as step4_purchasers
    from events
    group by 1, 2
)

select
    *,
    round(step2_clickers * 100.0 / nullif(step1_viewers, 0), 2) as view_to_click_rate,
    round(step3_cart_adders * 100.0 / nullif(step2_clickers, 0), 2) as click_to_cart_rate,
    round(step4_purchasers * 100.0 / nullif(step3_cart_adders, 0), 2) as cart_to_purchase_rate,
    round(step4_purchasers * 100.0 / nullif(step1_viewers, 0), 2) as overall_conversion_rate
from steps;

-- gold.ecommerce_product_daily
with looks as (
    select
        event_date,
        fields ->> 'product_id' as product_id,
        count(*) filter (where event_type = 'click') as click_count,
        count(*) filter (where event_type = 'add_to_cart') as cart_add_count,
        count(distinct user_id) filter (where event_type = 'click') as unique_viewers
    from events
    where event_type in ('click', 'add_to_cart') and fields ->> 'product_id' is not null
    group by 1, 2
),

sales as (
    select
        event_date,
        product_id,
        count(*) as purchase_count,
        sum(unit_price * quantity) as revenue,
        sum(quantity) as units_sold,
        count(distinct user_id) as unique_buyers
    from lines
    group by 1, 2
)

select
    event_date,
    product_id,
    coalesce(click_count, 0) as click_count,
    coalesce(cart_add_count, 0) as cart_add_count,
    coalesce(purchase_count, 0) as purchase_count,
    coalesce(revenue, 0) as revenue,
    coalesce(units_sold, 0) as units_sold,
    coalesce(unique_viewers, 0) as unique_viewers,
    coalesce(unique_buyers, 0) as unique_buyers,
    round(coalesce(unique_buyers, 0) * 100.0 / nullif(unique_viewers, 0), 2) as conversion_rate
from looks
full join sales using (event_date, product_id);

-- gold.ecommerce_orders
select distinct on (events.event_date, events.fields ->> 'order_id')
    events.event_date,
    events.fields ->> 'order_id' as order_id,
    events.user_id,
    events.at as order_timestamp,
    (events.fields ->> 'total_amount')::numeric as total_amount,
    events.fields ->> 'payment_method' as payment_method,
    events.platform,
    coalesce((events.details ->> 'discount_amount')::numeric, 0) as discount_amount,
    coalesce((events.details ->> 'shipping_fee')::numeric, 0) as shipping_fee,
    events.details ->> 'coupon_code' as coupon_code,
    (
        select count(*)
        from lines
        where lines.kafka_partition = events.kafka_partition and lines.kafka_offset = events.kafka_offset
    ) as item_count
from events
where events.event_type = 'purchase' and events.fields ->> 'order_id' is not null
order by events.event_date, events.fields ->> 'order_id', events.at desc, events.kafka_partition desc, events.kafka_offset desc;
