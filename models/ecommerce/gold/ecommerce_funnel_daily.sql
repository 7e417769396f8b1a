-- How many users came how far on one day, by platform.
-- Grain: one row per event_date and platform.
{{ config(schema='gold') }}

with

events as (
    select
        event_date,
        coalesce(platform, 'UNKNOWN') as platform,
        user_id,
        event_type
    from {{ ref('ecommerce_events') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
),

-- per user first, so that users are counted without a distinct
users as (
    select
        event_date,
        platform,
        user_id,
        bool_or(event_type = 'page_view') as viewed,
        bool_or(event_type = 'click') as clicked,
        bool_or(event_type = 'add_to_cart') as added,
        bool_or(event_type = 'purchase') as purchased
    from events
    group by event_date, platform, user_id
),

steps as (
    select
        event_date,
        platform,
        count(*) filter (where viewed) as step1_viewers,
        count(*) filter (where clicked) as step2_clickers,
        count(*) filter (where added) as step3_cart_adders,
        count(*) filter (where purchased) as step4_purchasers
    from users
    group by event_date, platform
),

-- Percent with two decimals, halves up: whole numbers are divided once, so the last digit is exact.
final as (
    select
        event_date,
        platform,
        step1_viewers,
        step2_clickers,
        step3_cart_adders,
        step4_purchasers,
        case
            when step1_viewers > 0
                then cast(floor((20000.0 * step2_clickers + step1_viewers) / (2.0 * step1_viewers)) / 100 as decimal(12, 2))
        end as view_to_click_rate,
        case
            when step2_clickers > 0
                then
                    cast(
                        floor((20000.0 * step3_cart_adders + step2_clickers) / (2.0 * step2_clickers)) / 100 as decimal(12, 2)
                    )
        end as click_to_cart_rate,
        case
            when step3_cart_adders > 0
                then
                    cast(
                        floor((20000.0 * step4_purchasers + step3_cart_adders) / (2.0 * step3_cart_adders)) / 100
                        as decimal(12, 2)
                    )
        end as cart_to_purchase_rate,
        case
            when step1_viewers > 0
                then cast(floor((20000.0 * step4_purchasers + step1_viewers) / (2.0 * step1_viewers)) / 100 as decimal(12, 2))
        end as overall_conversion_rate
    from steps
)

select * from final
