-- Reading by platform, device and browser on one day, and how far apart their neighbours are.
-- Grain: one row per event_date, platform, device and browser.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        platform,
        device,
        browser,
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
device_users as (
    select
        event_date,
        platform,
        device,
        browser,
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
    group by event_date, platform, device, browser, user_id
),

devices as (
    select
        event_date,
        platform,
        device,
        browser,
        sum(sessions) as total_sessions,
        count(*) as unique_users,
        sum(completes) as completes,
        sum(exits) as exits,
        sum(timeout_exits) as timeout_exits,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions
    from device_users
    group by event_date, platform, device, browser
),

averages as (
    select
        event_date,
        platform,
        device,
        browser,
        total_sessions,
        unique_users,
        cast(total_sessions as double) / unique_users as sessions_per_user,
        cast(completes as double) / total_sessions as completion_rate,
        cast(exits as double) / total_sessions as exit_rate,
        cast(timeout_exits as double) / total_sessions as timeout_exit_rate,
        case
            when scroll_sessions > 0 then cast(scroll_hundredths as double) / (100 * scroll_sessions)
            else 0
        end as avg_scroll_ratio,
        case
            when duration_sessions > 0 then cast(duration_ms as double) / duration_sessions
            else 0
        end as avg_duration_ms,
        cast(bounces as double) / total_sessions as bounce_ratio
    from devices
),

-- neighbours share two of the three and differ in the one named
final as (
    select
        event_date,
        platform,
        device,
        browser,
        total_sessions,
        unique_users,
        sessions_per_user,
        completion_rate,
        exit_rate,
        timeout_exit_rate,
        avg_scroll_ratio,
        avg_duration_ms,
        bounce_ratio,
        max(completion_rate) over (partition by event_date, platform, device)
        - min(completion_rate) over (partition by event_date, platform, device) as cross_browser_completion_gap,
        max(avg_duration_ms) over (partition by event_date, platform, browser)
        - min(avg_duration_ms) over (partition by event_date, platform, browser) as cross_device_duration_gap,
        max(avg_scroll_ratio) over (partition by event_date, device, browser)
        - min(avg_scroll_ratio) over (partition by event_date, device, browser) as cross_platform_scroll_gap
    from averages
)

select * from final
