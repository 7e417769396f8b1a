-- How the groups of an experiment did on one day. The unit of analysis is the user, not the session.
-- Grain: one row per event_date, experiment_name and experiment_group.
{{ config(schema='gold') }}

with

sessions as (
    select
        event_date,
        experiment_name,
        experiment_group,
        user_id,
        is_complete,
        cast(duration_ms as decimal(19, 0)) as duration_ms
    from {{ ref('webtoon_sessions') }}
    where
        event_date >= cast(cast('{{ var("window_start") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var("window_end") }}' as timestamp) as date)
        and experiment_name is not null
        and experiment_group is not null
),

-- a user's value: completed anything at all, and the day's reading time
group_users as (
    select
        event_date,
        experiment_name,
        experiment_group,
        user_id,
        count(*) as sessions,
        sum(is_complete) as completes,
        sum(duration_ms) as duration_ms
    from sessions
    group by event_date, experiment_name, experiment_group, user_id
),

-- capped at 10^10 ms (116 days in one day), so that no absurd dwell time overflows the exact sum of squares
memberships as (
    select
        event_date,
        experiment_name,
        experiment_group,
        sessions,
        completes,
        cast(case when duration_ms > 10000000000 then 10000000000 else duration_ms end as decimal(11, 0))
            as duration_ms,
        count(*) over (partition by event_date, experiment_name, user_id) as group_count,
        row_number() over (
            partition by event_date, experiment_name, user_id
            order by experiment_group
        ) as group_no
    from group_users
),

-- a user of several groups is in none of them
group_sums as (
    select
        event_date,
        experiment_name,
        experiment_group,
        count(*) filter (where group_count = 1) as users,
        coalesce(sum(sessions) filter (where group_count = 1), 0) as sessions,
        count(*) filter (where group_count = 1 and completes > 0) as completed_users,
        count(duration_ms) filter (where group_count = 1) as duration_n,
        coalesce(sum(duration_ms) filter (where group_count = 1), 0) as duration_sum,
        coalesce(sum(duration_ms * duration_ms) filter (where group_count = 1), 0) as duration_squares,
        count(*) filter (where group_count > 1 and group_no = 1) as excluded_users
    from memberships
    group by event_date, experiment_name, experiment_group
),

-- mean and sample variance of the reading time, and the share of users that completed
group_rates as (
    select
        event_date,
        experiment_name,
        experiment_group,
        users,
        sessions,
        completed_users,
        duration_n,
        excluded_users,
        case when users > 0 then cast(completed_users as double) / users else 0e0 end as completion_rate,
        case when duration_n > 0 then cast(duration_sum as double) / duration_n else 0e0 end as mean_duration_ms,
        case
            when duration_n > 1
                then
                    cast(
                        cast(duration_squares as decimal(28, 0)) * cast(duration_n as decimal(10, 0))
                        - cast(duration_sum as decimal(19, 0)) * cast(duration_sum as decimal(19, 0))
                        as double
                    ) / (cast(duration_n as double) * (duration_n - 1))
            else 0e0
        end as duration_variance,
        -- 97.5 % quantile of the normal distribution, 1.959963984540054, and its square
        1.959963984540054e0 as z,
        3.841458820694124e0 as z2,
        cast(users as double) as n
    from group_sums
),

-- Wilson's interval
group_intervals as (
    select
        *,
        case
            when users = 0 then 0e0
            when completed_users = 0 then 0e0
            else
                (
                    completion_rate + z2 / (2 * n)
                    - z * sqrt((completion_rate * (1 - completion_rate) + z2 / (4 * n)) / n)
                ) / (1 + z2 / n)
        end as completion_rate_low,
        case
            when users = 0 then 0e0
            when completed_users = users then 1e0
            else
                (
                    completion_rate + z2 / (2 * n)
                    + z * sqrt((completion_rate * (1 - completion_rate) + z2 / (4 * n)) / n)
                ) / (1 + z2 / n)
        end as completion_rate_high
    from group_rates
),

-- the control is the group of that name, or the first by name
ranked_groups as (
    select
        *,
        row_number() over (
            partition by event_date, experiment_name
            order by case when lower(experiment_group) = 'control' then 0 else 1 end, experiment_group
        ) as group_rank
    from group_intervals
),

-- the control's figures beside every group's, and the users of all groups for the sample ratio
compared_groups as (
    select
        *,
        first_value(users) over by_rank as control_users,
        first_value(completed_users) over by_rank as control_completed_users,
        first_value(completion_rate) over by_rank as control_completion_rate,
        first_value(completion_rate_low) over by_rank as control_completion_rate_low,
        first_value(completion_rate_high) over by_rank as control_completion_rate_high,
        first_value(duration_n) over by_rank as control_duration_n,
        first_value(mean_duration_ms) over by_rank as control_mean_duration_ms,
        first_value(duration_variance) over by_rank as control_duration_variance,
        count(*) over all_groups as group_total,
        sum(users) over all_groups as user_total,
        sum(users * users) over all_groups as user_squares,
        sum(excluded_users) over all_groups as experiment_excluded_users
    from ranked_groups
    window
        by_rank as (partition by event_date, experiment_name order by group_rank),
        all_groups as (partition by event_date, experiment_name)
),

-- differences to the control with their standard errors (pooled under the null hypothesis for the rate, Welch's for the mean),
-- and half of the chi-square statistic against equal shares: sum (o - e)^2 / e = k * sum o^2 / n - n
differences as (
    select
        *,
        case when group_rank > 1 and users > 0 and control_users > 0 then completion_rate - control_completion_rate end
            as rate_diff,
        case
            when group_rank > 1 and users > 0 and control_users > 0
                then
                    sqrt(
                        cast(completed_users + control_completed_users as double)
                        * (users + control_users - completed_users - control_completed_users)
                        / (cast(users + control_users as double) * users * control_users)
                    )
        end as rate_error,
        case
            when group_rank > 1 and duration_n > 1 and control_duration_n > 1
                then mean_duration_ms - control_mean_duration_ms
        end as mean_diff,
        case
            when group_rank > 1 and duration_n > 1 and control_duration_n > 1
                then sqrt(duration_variance / duration_n + control_duration_variance / control_duration_n)
        end as mean_error,
        case
            when user_total > 0
                then cast(group_total * user_squares - user_total * user_total as double) / (2 * user_total)
            else 0e0
        end as half_chi_square
    from compared_groups
),

-- The tail of the chi-square distribution with group_total - 1 degrees of freedom is a finite series, to which an odd number
-- of degrees adds erfc(sqrt(half_chi_square)). The groups' ranks count its terms; each is kept as a step in logarithms from the
-- one before it. -0.1207822376352452 is the logarithm of gamma(3/2).
series_steps as (
    select
        *,
        case
            when group_total % 2 = 1 and group_rank = 1 then -half_chi_square
            when group_total % 2 = 1
                then ln(case when half_chi_square > 0 then half_chi_square else 1e-300 end) - ln(group_rank - 1e0)
            when group_rank = 1
                then
                    0.5e0 * ln(case when half_chi_square > 0 then half_chi_square else 1e-300 end)
                    - half_chi_square + 0.1207822376352452e0
            else
                ln(case when half_chi_square > 0 then half_chi_square else 1e-300 end)
                - ln(group_rank - 0.5e0)
        end as log_step
    from differences
),

series_terms as (
    select
        *,
        case
            when 2 * group_rank <= group_total - 1
                then
                    exp(
                        sum(log_step) over (
                            partition by event_date, experiment_name
                            order by group_rank
                            rows between unbounded preceding and current row
                        )
                    )
            else 0e0
        end as series_term
    from series_steps
),

series as (
    select
        *,
        sum(series_term) over (
            partition by event_date, experiment_name
            order by group_rank
            rows between unbounded preceding and unbounded following
        ) as series_sum
    from series_terms
),

-- three numbers of every group need erfc: one row each, so that it is written once; the two-sided p-value of z is
-- erfc(|z| / sqrt(2))
tail_arguments as (
    select
        series.*,
        statistics.statistic,
        case
            when statistics.statistic = 'ratio' then sqrt(series.half_chi_square)
            when statistics.statistic = 'rate' and series.rate_error > 0
                then abs(series.rate_diff) / series.rate_error * 0.7071067811865476e0
            when statistics.statistic = 'mean' and series.mean_error > 0
                then abs(series.mean_diff) / series.mean_error * 0.7071067811865476e0
        end as x
    from series
    cross join (values ('rate'), ('mean'), ('ratio')) as statistics (statistic)
),

-- exp(-x * x) in two factors, the first exact in its argument, as in W. J. Cody's erfc
tail_factors as (
    select
        *,
        exp(-(floor(x * 16) / 16) * (floor(x * 16) / 16))
        * exp(-(x - floor(x * 16) / 16) * (x + floor(x * 16) / 16)) as decay,
        x * x as x2,
        1 / (case when x > 1 then x * x else 1e0 end) as r2
    from tail_arguments
),

-- Cody's rational approximations (Math. Comp. 23, 1969) on [0, 0.46875], (0.46875, 4] and beyond: 16 digits
-- noqa: disable=LT02
tails as (
    select
        *,
        case
            when x <= 0.46875e0
                then
                    1 - x * ((((1.85777706184603153e-1 * x2 + 3.16112374387056560e0) * x2
                    + 1.13864154151050156e2) * x2 + 3.77485237685302021e2) * x2 + 3.20937758913846947e3)
                    / ((((x2 + 2.36012909523441209e1) * x2
                    + 2.44024637934444173e2) * x2 + 1.28261652607737228e3) * x2 + 2.84423683343917062e3)
            when x <= 4e0
                then
                    decay * ((((((((2.15311535474403846e-8 * x + 5.64188496988670089e-1) * x
                    + 8.88314979438837594e0) * x + 6.61191906371416295e1) * x + 2.98635138197400131e2) * x
                    + 8.81952221241769090e2) * x + 1.71204761263407058e3) * x + 2.05107837782607147e3) * x
                    + 1.23033935479799725e3)
                    / ((((((((x + 1.57449261107098347e1) * x
                    + 1.17693950891312499e2) * x + 5.37181101862009858e2) * x + 1.62138957456669019e3) * x
                    + 3.29079923573345963e3) * x + 4.36261909014324716e3) * x + 3.43936767414372164e3) * x
                    + 1.23033935480374942e3)
            else
                decay / x * (5.6418958354775628695e-1 - r2
                * (((((1.63153871373020978e-2 * r2 + 3.05326634961232344e-1) * r2
                + 3.60344899949804439e-1) * r2 + 1.25781726111229246e-1) * r2 + 1.60837851487422766e-2) * r2
                + 6.58749161529837803e-4)
                / (((((r2 + 2.56852019228982242e0) * r2
                + 1.87295284992346725e0) * r2 + 5.27905102951428412e-1) * r2 + 6.05183413124413191e-2) * r2
                + 2.33520497626869185e-3))
        end as erfc_x
    from tail_factors
),
-- noqa: enable=LT02

-- back to one row per group
p_values as (
    select
        *,
        max(case when statistic = 'rate' then erfc_x end) over one_group as rate_erfc,
        max(case when statistic = 'mean' then erfc_x end) over one_group as mean_erfc,
        max(case when statistic = 'ratio' then erfc_x end) over one_group as ratio_erfc
    from tails
    window one_group as (partition by event_date, experiment_name, experiment_group)
),

-- Newcombe's interval of the difference of two rates is built from their Wilson intervals
final as (
    select
        event_date,
        experiment_name,
        experiment_group,
        group_rank = 1 as is_control,
        users,
        sessions,
        completed_users,
        completion_rate,
        completion_rate_low,
        completion_rate_high,
        mean_duration_ms,
        duration_variance,
        duration_n,
        rate_diff as completion_rate_diff,
        rate_diff - sqrt(
            (completion_rate - completion_rate_low) * (completion_rate - completion_rate_low)
            + (control_completion_rate_high - control_completion_rate)
            * (control_completion_rate_high - control_completion_rate)
        ) as completion_rate_diff_low,
        rate_diff + sqrt(
            (completion_rate_high - completion_rate) * (completion_rate_high - completion_rate)
            + (control_completion_rate - control_completion_rate_low)
            * (control_completion_rate - control_completion_rate_low)
        ) as completion_rate_diff_high,
        case when rate_error > 0 then rate_erfc when rate_error = 0 then 1e0 end as completion_rate_p_value,
        mean_diff as duration_diff_ms,
        mean_diff - z * mean_error as duration_diff_low_ms,
        mean_diff + z * mean_error as duration_diff_high_ms,
        case
            when mean_error > 0 then mean_erfc
            when mean_error = 0 and mean_diff = 0 then 1e0
            when mean_error = 0 then 0e0
        end as duration_p_value,
        case
            when group_total = 1 or half_chi_square = 0 then 1e0
            when group_total % 2 = 0 then series_sum + ratio_erfc
            else series_sum
        end as srm_p_value,
        experiment_excluded_users as excluded_users
    from p_values
    where statistic = 'ratio'
)

select * from final
