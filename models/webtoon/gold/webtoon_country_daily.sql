-- Reading by country on one day, beside all countries together.
-- Grain: one row per event_date and country.
{{ config(schema='gold', meta={'lookback': '1d'}) }}

with

-- the window and the day before it, for who returned
sessions as (
    select
        event_date,
        country,
        user_id,
        webtoon_id,
        episode_id,
        session_state,
        is_complete,
        is_exit,
        cast(max_scroll_ratio * 100 as bigint) as scroll_hundredths,
        cast(duration_ms as decimal(19, 0)) as duration_ms
    from {{ ref('webtoon_sessions') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) - interval '1' day as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

-- users and episodes are counted without a distinct: per user and episode, then per user, then per country
user_episodes as (
    select
        event_date,
        country,
        user_id,
        webtoon_id,
        episode_id,
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
    where event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
    group by event_date, country, user_id, webtoon_id, episode_id
),

country_users as (
    select
        event_date,
        country,
        user_id,
        count(*) as episodes,
        sum(sessions) as sessions,
        sum(completes) as completes,
        sum(exits) as exits,
        sum(timeout_exits) as timeout_exits,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions
    from user_episodes
    group by event_date, country, user_id
),

-- who was in which country the day before
previous_users as (
    select
        cast(event_date + interval '1' day as date) as event_date,
        country,
        user_id
    from sessions
    group by event_date, country, user_id
),

countries as (
    select
        country_users.event_date,
        country_users.country,
        sum(country_users.sessions) as total_sessions,
        count(*) as unique_users,
        count(previous_users.user_id) as returning_users,
        sum(country_users.episodes) as user_episodes,
        sum(country_users.completes) as completes,
        sum(country_users.exits) as exits,
        sum(country_users.timeout_exits) as timeout_exits,
        sum(country_users.bounces) as bounces,
        sum(country_users.scroll_hundredths) as scroll_hundredths,
        sum(country_users.scroll_sessions) as scroll_sessions,
        sum(country_users.duration_ms) as duration_ms,
        sum(country_users.duration_sessions) as duration_sessions
    from previous_users -- the narrower side first: it is the one that is kept in memory
    right join country_users -- noqa: CV08
        on
            previous_users.event_date = country_users.event_date
            and previous_users.country = country_users.country
            and previous_users.user_id = country_users.user_id
    group by country_users.event_date, country_users.country
),

-- the same sums over all countries of the day, beside each country's
countries_and_totals as (
    select
        *,
        sum(total_sessions) over all_countries as global_sessions,
        sum(completes) over all_countries as global_completes,
        sum(scroll_hundredths) over all_countries as global_scroll_hundredths,
        sum(scroll_sessions) over all_countries as global_scroll_sessions,
        sum(duration_ms) over all_countries as global_duration_ms,
        sum(duration_sessions) over all_countries as global_duration_sessions
    from countries
    window all_countries as (partition by event_date)
),

averages as (
    select
        event_date,
        country,
        total_sessions,
        unique_users,
        returning_users,
        unique_users - returning_users as new_users,
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
        cast(bounces as double) / total_sessions as bounce_ratio,
        cast(user_episodes as double) / unique_users as active_user_depth,
        cast(global_completes as double) / global_sessions as global_completion_rate,
        case
            when global_scroll_sessions > 0
                then cast(global_scroll_hundredths as double) / (100 * global_scroll_sessions)
            else 0
        end as global_avg_scroll_ratio,
        case
            when global_duration_sessions > 0 then cast(global_duration_ms as double) / global_duration_sessions
            else 0
        end as global_avg_duration_ms
    from countries_and_totals
),

final as (
    select
        event_date,
        country,
        total_sessions,
        unique_users,
        sessions_per_user,
        completion_rate,
        exit_rate,
        timeout_exit_rate,
        avg_scroll_ratio,
        avg_duration_ms,
        bounce_ratio,
        active_user_depth,
        returning_users,
        new_users,
        cast(returning_users as double) / unique_users as return_user_ratio,
        cast(new_users as double) / unique_users as new_user_ratio,
        completion_rate - global_completion_rate as completion_rate_gap_vs_global,
        case
            when global_avg_scroll_ratio > 0 then avg_scroll_ratio / global_avg_scroll_ratio
            else 0
        end as scroll_depth_index,
        case
            when global_avg_duration_ms > 0 then avg_duration_ms / global_avg_duration_ms
            else 0
        end as avg_duration_index,
        case when exit_rate > 0 then completion_rate / exit_rate else 0 end as completion_exit_ratio
    from averages
)

select * from final
