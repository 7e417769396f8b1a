-- How one episode was read on one day.
-- Grain: one row per event_date, webtoon_id and episode_id.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        user_id,
        webtoon_id,
        episode_id,
        episode_no,
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
user_episodes as (
    select
        event_date,
        user_id,
        webtoon_id,
        episode_id,
        max(episode_no) as episode_no,
        count(*) as sessions,
        sum(is_complete) as completes,
        sum(is_exit) as exits,
        count(*) filter (where session_state = 'TIMEOUT_EXIT') as timeout_exits,
        count(*) filter (where session_state = 'IN_PROGRESS') as incompletes,
        count(*) filter (where duration_ms <= 10000) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        count(scroll_hundredths) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        count(duration_ms) as duration_sessions,
        sum(scroll_hundredths) filter (where is_exit = 1) as exit_scroll_hundredths,
        count(scroll_hundredths) filter (where is_exit = 1) as exit_scroll_sessions,
        count(*) filter (where scroll_hundredths < 20) as scroll_bucket_0_20,
        count(*) filter (where scroll_hundredths >= 20 and scroll_hundredths < 40) as scroll_bucket_20_40,
        count(*) filter (where scroll_hundredths >= 40 and scroll_hundredths < 60) as scroll_bucket_40_60,
        count(*) filter (where scroll_hundredths >= 60 and scroll_hundredths < 80) as scroll_bucket_60_80,
        count(*) filter (where scroll_hundredths >= 80) as scroll_bucket_80_100
    from sessions
    group by event_date, user_id, webtoon_id, episode_id
),

-- the furthest episode of a webtoon that a user completed that day, by number and by name
user_progress as (
    select
        event_date,
        user_id,
        webtoon_id,
        max(episode_no) as last_no,
        max(episode_id) as last_id,
        max(case when episode_no is null then episode_id end) as last_unnumbered_id
    from sessions
    where is_complete = 1
    group by event_date, user_id, webtoon_id
),

-- two episodes are compared by number when both have one, else by name
user_continuations as (
    select
        user_episodes.*,
        user_episodes.completes > 0
        and case
            when user_episodes.episode_no is null
                then coalesce(user_progress.last_id > user_episodes.episode_id, false)
            else
                coalesce(user_progress.last_no > user_episodes.episode_no, false)
                or coalesce(user_progress.last_unnumbered_id > user_episodes.episode_id, false)
        end as continued
    from user_progress -- the smaller side first: it is the one that is kept in memory
    right join user_episodes -- noqa: CV08
        on
            user_progress.event_date = user_episodes.event_date
            and user_progress.user_id = user_episodes.user_id
            and user_progress.webtoon_id = user_episodes.webtoon_id
),

episodes as (
    select
        event_date,
        webtoon_id,
        episode_id,
        sum(sessions) as total_sessions,
        sum(completes) as complete_sessions,
        sum(exits) as exit_sessions,
        sum(timeout_exits) as timeout_exit_sessions,
        sum(incompletes) as incomplete_sessions,
        count(*) as unique_users,
        count(*) filter (where completes > 0) as unique_complete_users,
        count(*) filter (where exits > 0) as unique_exit_users,
        sum(bounces) as bounces,
        sum(scroll_hundredths) as scroll_hundredths,
        sum(scroll_sessions) as scroll_sessions,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions,
        sum(exit_scroll_hundredths) as exit_scroll_hundredths,
        sum(exit_scroll_sessions) as exit_scroll_sessions,
        sum(scroll_bucket_0_20) as scroll_bucket_0_20,
        sum(scroll_bucket_20_40) as scroll_bucket_20_40,
        sum(scroll_bucket_40_60) as scroll_bucket_40_60,
        sum(scroll_bucket_60_80) as scroll_bucket_60_80,
        sum(scroll_bucket_80_100) as scroll_bucket_80_100,
        count(*) filter (where continued) as continued_user_count
    from user_continuations
    group by event_date, webtoon_id, episode_id
),

final as (
    select
        event_date,
        webtoon_id,
        episode_id,
        total_sessions,
        complete_sessions,
        exit_sessions,
        incomplete_sessions,
        unique_users,
        unique_complete_users,
        unique_exit_users,
        case
            when scroll_sessions > 0 then cast(scroll_hundredths as double) / (100 * scroll_sessions)
            else 0
        end as avg_scroll_ratio,
        case
            when duration_sessions > 0 then cast(duration_ms as double) / duration_sessions
            else 0
        end as avg_duration_ms,
        cast(complete_sessions as double) / total_sessions as completion_rate,
        cast(exit_sessions as double) / total_sessions as exit_rate,
        cast(timeout_exit_sessions as double) / total_sessions as timeout_exit_rate,
        cast(bounces as double) / total_sessions as bounce_ratio,
        case
            when exit_scroll_sessions > 0
                then cast(exit_scroll_hundredths as double) / (100 * exit_scroll_sessions)
            else 0
        end as scroll_dropoff_point,
        scroll_bucket_0_20,
        scroll_bucket_20_40,
        scroll_bucket_40_60,
        scroll_bucket_60_80,
        scroll_bucket_80_100,
        continued_user_count,
        cast(continued_user_count as double) / unique_users as episode_attractiveness_index
    from episodes
)

select * from final
