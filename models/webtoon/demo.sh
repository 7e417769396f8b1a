# shellcheck shell=bash
# What deploy/demo shows of this domain, with the demo's own functions and variables.
# shellcheck disable=SC2154 # They are set there.

# shellcheck disable=SC2034 # It is read there.
live_view=webtoon_session
# shellcheck disable=SC2034
served=webtoon_reader served_view=webtoon_user_lifetime
# shellcheck disable=SC2034
label_table=silver.webtoon_sessions label_time=start_time label=session_state
# shellcheck disable=SC2034
trained=webtoon_user_1h:events,webtoon_user_1h:avg_scroll_ratio,webtoon_user_lifetime:sessions
# shellcheck disable=SC2034
disturbed=(--duplicates 0.02 --out-of-order 0.05 --late 0.02 --abandoned 0.1 --garbage 0.01)

# The sessions that begin half a minute into the live day, until all of them have ended.
watch_sessions() {
    watch_live 4 "$(printf '%-19s %-7s %-10s %-7s %6s %8s  %-13s' session user webtoon episode events scrolled state)" \
        "select format('%-19s %-7s %-10s %-7s %6s %8s  %-13s %s', left(session_id, 19), user_id, webtoon_id, episode_id, event_count,
            coalesce(to_char(max_scroll_ratio, '0.00'), ''), session_state, case when is_final then 'closed' else 'open' end)
            from online.webtoon_session where started_at >= '${end}T00:00:30Z' order by started_at, session_id limit 4"
}

# One reader, and what was read last.
show_entities() {
    local reader webtoon episode
    IFS='|' read -r reader webtoon episode <<<"$(sql "select user_id, webtoon_id, episode_id from online.webtoon_session
        where started_at >= '${end}Z' and session_state = 'COMPLETE' order by event_count desc, session_id limit 1" --tuples-only --no-align)"
    for view in webtoon_user_1h webtoon_user_recent webtoon_user_lifetime; do
        show_view $view "user_id = '$reader'"
    done
    show_view webtoon_episode_1h "(webtoon_id, episode_id) = ('$webtoon', '$episode')"
    show_view webtoon_title_24h "webtoon_id = '$webtoon'"
}

show_tables() {
    local reader
    heading "9. The top episodes of the second day"
    show episodes gold.webtoon_episode_daily --date "$second" --order=-total_sessions,webtoon_id,episode_id --limit 10 \
        --columns webtoon_id,episode_id,total_sessions,unique_users,completion_rate,avg_scroll_ratio,scroll_dropoff_point,continued_user_count

    heading "10. The second day of the reader who read most, summed up and session by session"
    reader=$(show top-reader gold.webtoon_user_daily --date "$second" --order=-total_episode_sessions,user_id --limit 1 \
        --columns user_id --output json | sed -n 's/.*"rows":\[\["\([^"]*\)"\]\].*/\1/p')
    show reader gold.webtoon_user_daily --date "$second" --where "user_id = '$reader'" \
        --columns user_id,total_episode_sessions,complete_sessions,exit_sessions,completion_rate,avg_duration_ms,avg_return_interval_sec,top_genre,active_hours
    show day silver.webtoon_sessions --date "$second" --where "user_id = '$reader'" --order start_time \
        --columns start_time,webtoon_id,episode_id,genre,platform,session_state,max_scroll_ratio,duration_ms,event_count
}

next_steps() {
    cat <<END
  $jobs show gold.webtoon_country_daily --date $second --lake $lake
  $jobs show silver.webtoon_sessions --where "session_state = 'TIMEOUT_EXIT'" --lake $lake
  $jobs run gold.webtoon_user_daily --date $second --lake $lake        # again, and the same rows
END
}
