-- What one user did in the 30 days that end with the date.
-- Grain: one row per event_date and user_id with a session in those days.
{{ config(schema='gold', meta={'lookback': '29d'}) }}

with

sessions as (
    select
        event_date,
        user_id,
        webtoon_id,
        episode_id,
        genre,
        is_complete,
        cast(duration_ms as decimal(19, 0)) as duration_ms
    from {{ ref('webtoon_sessions') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) - interval '29' day as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

-- episodes, webtoons and days are counted without a distinct: each level groups the one before it
user_episodes as (
    select
        user_id,
        webtoon_id,
        episode_id,
        count(*) as sessions,
        sum(is_complete) as completes,
        sum(duration_ms) as duration_ms,
        count(duration_ms) as duration_sessions
    from sessions
    group by user_id, webtoon_id, episode_id
),

user_titles as (
    select
        user_id,
        webtoon_id,
        count(*) as episodes,
        sum(sessions) as sessions,
        sum(completes) as completes,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions
    from user_episodes
    group by user_id, webtoon_id
),

users as (
    select
        user_id,
        count(*) as distinct_webtoons,
        sum(episodes) as distinct_episodes,
        sum(sessions) as sessions,
        sum(completes) as completes,
        sum(duration_ms) as duration_ms,
        sum(duration_sessions) as duration_sessions
    from user_titles
    group by user_id
),

user_days as (
    select
        user_id,
        event_date
    from sessions
    group by user_id, event_date
),

days as (
    select
        user_id,
        count(*) as active_days,
        max(event_date) as last_date
    from user_days
    group by user_id
),

user_genres as (
    select
        user_id,
        genre,
        count(*) as sessions
    from sessions
    group by user_id, genre
),

ranked_genres as (
    select
        user_id,
        genre,
        row_number() over (partition by user_id order by sessions desc, genre) as genre_rank
    from user_genres
),

final as (
    select
        cast(cast('{{ var("window_start") }}' as timestamp) as date) as event_date,
        users.user_id,
        days.active_days,
        users.sessions,
        users.completes,
        cast(users.completes as double) / users.sessions as completion_rate,
        users.distinct_webtoons,
        users.distinct_episodes,
        ranked_genres.genre as top_genre,
        case
            when users.duration_sessions > 0 then cast(users.duration_ms as double) / users.duration_sessions
            else 0
        end as avg_duration_ms,
        cast(cast(cast('{{ var("window_start") }}' as timestamp) as date) - days.last_date as integer)
            as days_since_last
    from users
    inner join days
        on users.user_id = days.user_id
    inner join ranked_genres
        on
            users.user_id = ranked_genres.user_id
            and ranked_genres.genre_rank = 1
)

select * from final
