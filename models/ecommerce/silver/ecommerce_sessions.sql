-- One visit of one user, from its first event to its last.
-- Grain: one row per session_id.
{{ config(schema='silver', meta={'margin': '2h'}) }}

with

-- the window and the margin on both sides of it, so that a session over midnight is whole
events as (
    select
        event_id,
        event_type,
        user_id,
        session_id,
        event_time,
        platform,
        device_type,
        page_url,
        total_amount,
        weather_status,
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
        and session_id <> ''
),

-- copies of an event as in ecommerce_events
repeated_ids as (
    select event_id
    from events
    where event_id <> ''
    group by event_id
    having count(*) > 1
),

copies as (
    select
        events._topic_id,
        events._partition,
        events._offset,
        row_number() over (
            partition by events.event_id
            order by
                events.event_time desc, events._partition desc, events._offset desc, events._topic_id desc
        ) as copy_no
    from repeated_ids
    inner join events on repeated_ids.event_id = events.event_id
),

-- event_order is the place of an event in its session
kept_events as (
    select
        events.*,
        (events.event_time, events._partition, events._offset, events._topic_id) as event_order
    from copies
    right join events -- noqa: CV08
        on
            copies._partition = events._partition
            and copies._offset = events._offset
            and copies._topic_id = events._topic_id
    where copies.copy_no is null or copies.copy_no = 1
),

-- arg_min passes over events without a value
all_sessions as (
    select
        session_id,
        cast(min(event_time) as date) as event_date,
        arg_min(user_id, event_order) as user_id,
        min(event_time) as start_time,
        max(event_time) as end_time,
        count(*) as event_count,
        count(*) filter (where event_type = 'page_view') as page_view_count,
        count(*) filter (where event_type = 'click') as click_count,
        count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count,
        count(*) filter (where event_type = 'purchase') as purchase_count,
        count(*) filter (where event_type = 'search') as search_count,
        coalesce(arg_min(platform, event_order), 'UNKNOWN') as platform,
        coalesce(arg_min(device_type, event_order), 'UNKNOWN') as device_type,
        coalesce(sum(total_amount) filter (where event_type = 'purchase'), 0) as revenue,
        arg_min(page_url, event_order) as landing_page,
        arg_min(weather_status, event_order) as weather_status,
        arg_min(utm_source, event_order) as utm_source,
        arg_min(utm_campaign, event_order) as utm_campaign
    from kept_events
    group by session_id
),

-- the sessions that start inside the window
final as (
    select
        event_date,
        session_id,
        user_id,
        start_time,
        end_time,
        cast(extract(epoch from end_time) - extract(epoch from start_time) as decimal(18, 3)) as duration_seconds,
        event_count,
        page_view_count,
        click_count,
        add_to_cart_count,
        purchase_count,
        search_count,
        platform,
        device_type,
        purchase_count > 0 as converted,
        try_cast(revenue as decimal(14, 2)) as revenue,
        landing_page,
        weather_status,
        utm_source,
        utm_campaign
    from all_sessions
    where
        start_time >= cast('{{ var("window_start") }}+00:00' as timestamp with time zone)
        and start_time < cast('{{ var("window_end") }}+00:00' as timestamp with time zone)
)

select * from final
