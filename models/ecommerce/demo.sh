# shellcheck shell=bash
# What deploy/demo shows of this domain, with the demo's own functions and variables.
# shellcheck disable=SC2154 # They are set there.

# shellcheck disable=SC2034 # It is read there.
live_view=user_session
# shellcheck disable=SC2034
served=shopper served_view=user_recent_products
# shellcheck disable=SC2034
label_table=silver.ecommerce_events label_time=event_time label=event_type
# shellcheck disable=SC2034
trained=user_activity_1h:view_count_1h,user_activity_1h:cart_count_1h,user_interest_10m:avg_viewed_price_10m,user_pattern:pattern_detected
# Few enough for the gate, which lets 1 % of repeats pass.
# shellcheck disable=SC2034
disturbed=(--duplicates 0.005 --out-of-order 0.05 --late 0.02 --abandoned 0.1 --garbage 0.005)

# The visits that begin half a minute into the live day, as they grow. None ends while the demo looks: that takes ten minutes.
watch_sessions() {
    watch_live 4 "$(printf '%-10s %-12s %6s %9s' shopper began events seconds)" \
        "select format('%-10s %-12s %6s %9s  %s', user_id, to_char(started_at, 'HH24:MI:SS.MS'), event_count, round(duration_seconds::numeric, 1),
            case when is_final then 'closed' else 'open' end)
            from online.user_session where started_at >= '${end}T00:00:30Z' order by started_at, user_id limit 4"
}

# The shopper who did most in the live day: what every view knows, and the same in Redis, where a recommender reads it.
show_entities() {
    local shopper
    shopper=$(sql "select user_id from online.user_activity_1h where event_time >= '${end}Z' and view_count_1h > 0
        order by avg_viewed_price_1h > 0 desc, cart_count_1h > 0 desc, view_count_1h desc, user_id limit 1" --tuples-only --no-align)
    for view in user_activity_1h user_interest_10m user_interest_30m user_recent_products user_pattern; do
        show_view $view "user_id = '$shopper'"
    done
    if [ -n "$redis" ]; then
        for command in "hgetall user_features:$shopper" "lrange recent_products:$shopper 0 -1"; do
            echo "redis-cli $command"
            # shellcheck disable=SC2086 # The command is several words.
            redis-cli -u "$redis" $command | paste -sd ' ' | fold -s -w 140 | sed 's/^/  /'
        done
    fi
}

show_tables() {
    heading "9. The funnel of the second day"
    show funnel gold.ecommerce_funnel_daily --date "$second" --order platform

    heading "10. What sold best on the second day"
    show products gold.ecommerce_product_daily --date "$second" --order=-revenue,product_id --limit 10 \
        --columns product_id,click_count,cart_add_count,purchase_count,units_sold,revenue,unique_buyers,conversion_rate

    heading "    And the shoppers who spent most"
    show shoppers gold.ecommerce_user_daily --date "$second" --order=-total_purchase_amount,user_id --limit 5 \
        --columns user_id,session_count,page_view_count,click_count,add_to_cart_count,purchase_count,total_purchase_amount
}

next_steps() {
    cat <<END
  $jobs show gold.ecommerce_orders --date $second --limit 5 --lake $lake
  $jobs check bronze.ecommerce_events --date $second --lake $lake        # the seven checks
  $jobs run gold.ecommerce_user_daily --date $second --lake $lake        # again, and the same rows
END
}
