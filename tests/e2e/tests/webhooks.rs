//! Notifications to applications over HTTP: what happened is told at least once and in order, whatever the application
//! and the gateway go through, within bounds, and the operator sees what stands where.

use dragoman_e2e::devices::{self, METER};
use dragoman_e2e::target::{Act, Seen, Target};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Admin, World};
use dragoman_simulators::Behaviour;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The target `app`, tried often and for long, with its own settings; messages' statuses go there.
fn configuration(target: &Target, settings: &str) -> String {
    let url = target.url();
    format!(
        "[targets.app]\nurl = \"{url}/hook\"\ntries_max = 1000\nbackoff_ms = 20\nbackoff_max_ms = 200\n{settings}\n\n{}",
        pushes_to("app")
    )
}

fn pushes_to(target: &str) -> String {
    format!(
        "[plugin.huawei-iotda.settings.push.\"device.message.status\"]\ntarget = \"{target}\"\npath = \"/status\"\n"
    )
}

async fn send(world: &World, message: usize) -> anyhow::Result<()> {
    let body = json!({ "message": "hello", "message_id": format!("m{message}") });
    let path = format!("/v5/iot/project/devices/{METER}/messages");
    world.huawei.post(&path, body.to_string()).await?.expect(201).map(drop)
}

/// Message and status of a notification.
fn told(seen: &Seen) -> (String, String) {
    let text = |name: &str| seen.body["notify_data"][name].as_str().unwrap_or_default().to_owned();
    (text("message_id"), text("status"))
}

fn is_done(seen: &&Seen) -> bool {
    seen.act == Act::Answer(200)
}

fn done(seen: &[Seen]) -> usize {
    seen.iter().filter(is_done).count()
}

/// The number that the gateway gave a request, which rises in the order of what happened.
fn number(seen: &Seen) -> u64 {
    seen.key.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

async fn target(admin: &Admin) -> anyhow::Result<Value> {
    admin.get("/v1/targets/app").await?.expect(200)
}

/// Twelve messages wait for a device and are delivered when it comes, while the application refuses, fails, hangs and
/// hangs up, and the gateway is killed again and again. Each status of each message is one request with one key, it is
/// repeated until it was answered, and the order in which the requests were done is the order of what happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_status_is_told_in_order_whatever_fails_and_whoever_is_killed() -> anyhow::Result<()> {
    const MESSAGES: usize = 12;
    const KILLS: usize = 4;
    let app = Target::start(|count| match count % 7 {
        1 => Act::Answer(503),
        2 => Act::Answer(500),
        4 => Act::Hang,
        6 => Act::Close,
        _ => Act::Answer(200),
    })
    .await?;
    let one_at_a_time = "timeout_ms = 200\nin_flight_max = 1\n";
    let mut world = World::start_with(&configuration(&app, one_at_a_time)).await?;
    for message in 0..MESSAGES {
        send(&world, message).await?;
    }
    for enough in [2, 5] {
        app.until("requests before a kill", |seen| seen.len() >= enough).await?;
        world.daemon.kill().await?;
        world.daemon.start_again().await?;
    }
    let mut device = world.device(METER, Behaviour::Answer).await?;
    for enough in [14, 25] {
        app.until("requests before a kill", |seen| seen.len() >= enough).await?;
        world.daemon.kill().await?;
        world.daemon.start_again().await?;
        devices::ready(&mut device).await?;
    }
    // Done as the application sees it; that the answer to the last one was heard shows below.
    let all = |seen: &[Seen]| {
        let mut keys: Vec<_> = seen.iter().filter(is_done).map(|seen| seen.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len() >= 2 * MESSAGES
    };
    app.until("every status", all).await?;
    wait::until("nothing waits", SOON, || async {
        let state = target(&world.admin).await?;
        Ok((state["waiting"] == 0 && state["in_flight"] == 0).then_some(()))
    })
    .await?;

    let seen = app.seen();
    assert!(seen.iter().all(|seen| seen.path == "/hook/status"), "{seen:?}");
    // A kill may fall between the answers to the last ones and their record, so those may be done once more, in order.
    let mut in_order: Vec<&Seen> = seen.iter().filter(is_done).collect();
    let follows = |pair: &[&Seen]| number(pair[1]) == number(pair[0]) + 1;
    let again = in_order.windows(2).filter(|pair| !follows(pair));
    let goes_back = again.clone().all(|pair| number(pair[1]) <= number(pair[0]));
    assert!(goes_back && again.count() <= KILLS, "{in_order:#?}");
    in_order.sort_by_key(|seen| number(seen));
    in_order.dedup_by_key(|seen| number(seen));
    let mut statuses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for seen in &in_order {
        let (message, status) = told(seen);
        statuses.entry(message).or_default().push(status);
    }
    let expected: BTreeMap<String, Vec<String>> =
        (0..MESSAGES).map(|message| (format!("m{message}"), vec!["PENDING".into(), "DELIVERED".into()])).collect();
    assert_eq!(statuses, expected, "each status is one request");
    for repeated in &seen {
        let first = in_order.iter().find(|done| done.key == repeated.key);
        assert_eq!(first.map(|done| &done.body), Some(&repeated.body), "each try of a request has the same body");
    }
    Ok(())
}

/// An application that is down, also while the gateway is killed, is asked now and then by one request, and gets everything
/// in order when it is back. What it does not want is kept for the operator, who may have it sent again or forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_application_missed_waits_for_it_and_what_it_refused_for_the_operator() -> anyhow::Result<()> {
    const MESSAGES: usize = 5;
    let refuses = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let says = refuses.clone();
    let refused = move |_| match says.load(std::sync::atomic::Ordering::SeqCst) {
        true => Act::Answer(404),
        false => Act::Answer(200),
    };
    let mut app = Target::start(refused).await?;
    app.down().await;
    let mut world = World::start_with(&configuration(&app, "in_flight_max = 1\n")).await?;
    for message in 0..MESSAGES {
        send(&world, message).await?;
    }
    for killed in [false, true] {
        if killed {
            world.daemon.kill().await?;
            world.daemon.start_again().await?;
        }
        let state = wait::until("the application is found to be down", SOON, || async {
            let state = target(&world.admin).await?;
            Ok((state["last_answer_ms"].is_u64() && state["in_flight"] == 0).then_some(state))
        })
        .await?;
        assert_eq!(state["waiting"], MESSAGES, "{state}");
        let answer = state["last_answer"].as_str().unwrap_or_default();
        assert!(answer.starts_with("no connection: "), "{state}");
    }
    let listed = world.daemon.cli(&["target", "list"]).await?;
    assert!(listed.lines().any(|line| line.starts_with("app ") && line.contains("no connection: ")), "{listed}");
    app.up().await?;
    let seen = app.until("everything", |seen| done(seen) >= MESSAGES).await?;
    let messages: Vec<_> = seen.iter().map(|seen| told(seen).0).collect();
    assert_eq!(messages, (0..MESSAGES).map(|message| format!("m{message}")).collect::<Vec<_>>());

    refuses.store(true, std::sync::atomic::Ordering::SeqCst);
    for message in [7, 8] {
        send(&world, message).await?;
    }
    // A kill may come before the disk has it that the last one was given up; that one is then asked for once more.
    for killed in [false, true] {
        if killed {
            world.daemon.kill().await?;
            world.daemon.start_again().await?;
        }
        wait::until("both are given up", SOON, || async {
            Ok((target(&world.admin).await?["given_up"] == 2).then_some(()))
        })
        .await?;
    }
    let shown = world.daemon.cli(&["target", "show", "app"]).await?;
    let rows: Vec<_> = shown.lines().filter(|line| line.contains("POST /status")).collect();
    assert_eq!(rows.len(), 2, "{shown}");
    for row in rows {
        assert!(row.contains("huawei-iotda") && row.contains("404 Not Found: the target says 404"), "{shown}");
    }
    let keys: BTreeSet<_> = app.seen().into_iter().map(|seen| seen.key).collect();
    assert_eq!(keys.len(), MESSAGES + 2);
    refuses.store(false, std::sync::atomic::Ordering::SeqCst);
    let retried = world.daemon.cli(&["target", "retry", "app"]).await?;
    assert!(retried.contains("2 requests to app are sent again"), "{retried}");
    app.until("both again", |seen| done(seen) == MESSAGES + 2).await?;
    wait::until("nothing is given up", SOON, || async {
        let state = target(&world.admin).await?;
        Ok((state["given_up"] == 0 && state["waiting"] == 0 && state["in_flight"] == 0).then_some(()))
    })
    .await?;

    refuses.store(true, std::sync::atomic::Ordering::SeqCst);
    send(&world, 9).await?;
    wait::until("it is given up", SOON, || async { Ok((target(&world.admin).await?["given_up"] == 1).then_some(())) })
        .await?;
    let dropped = world.daemon.cli(&["target", "drop", "app"]).await?;
    assert!(dropped.contains("1 requests to app are forgotten"), "{dropped}");
    assert_eq!(target(&world.admin).await?["requests"], json!([]));
    Ok(())
}

/// So many requests may wait for an application and no more. What does not fit is refused with a reason that the log and
/// the metrics name, and the command that it is about goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_the_bound_of_a_target_notifications_are_refused_and_commands_are_not() -> anyhow::Result<()> {
    let app = Target::start(|_| Act::Hang).await?;
    let few = "timeout_ms = 300000\nin_flight_max = 1\nwaiting_max = 3\n";
    let world = World::start_with(&configuration(&app, few)).await?;
    for message in 0..5 {
        send(&world, message).await?;
    }
    wait::until("two are refused", SOON, || async {
        let metrics = world.admin.metrics().await?;
        let full = [("target", "app"), ("reason", "waiting-max")];
        Ok((metrics.sum("dragoman_outbound_refused_total", &full) == 2.0).then_some(()))
    })
    .await?;
    let metrics = world.admin.metrics().await?;
    assert_eq!(metrics.sum("dragoman_transitions_untold_total", &[("dialect", "huawei-iotda")]), 2.0);
    let log = world.daemon.log_tail();
    assert!(log.contains("3 requests wait for target app, the limit (waiting_max)"), "{log}");
    let state = target(&world.admin).await?;
    assert_eq!((&state["waiting"], &state["in_flight"]), (&json!(2), &json!(1)), "{state}");
    // Messages go to the device all the same, in order.
    let mut device = world.device(METER, Behaviour::Silent).await?;
    for message in 0..5 {
        let (_, received) = devices::received(&mut device).await?;
        assert_eq!(received["id"], format!("m{message}"), "{received}");
    }
    assert_eq!(app.seen().len(), 1);
    Ok(())
}

/// A target that the operator did not list does not exist, whatever a plugin's settings say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_for_a_target_that_is_not_listed() -> anyhow::Result<()> {
    let app = Target::start(|_| Act::Answer(200)).await?;
    let listed = format!("[targets.app]\nurl = \"{}\"\n\n{}", app.url(), pushes_to("elsewhere"));
    let world = World::start_with(&listed).await?;
    send(&world, 1).await?;
    wait::until("the log says so", SOON, || async {
        let log = world.daemon.log_tail();
        Ok(log.contains("a notification was not sent: no target").then_some(()))
    })
    .await?;
    assert_eq!(world.admin.get("/v1/targets/elsewhere").await?.status, 404);
    assert_eq!(app.seen(), []);
    Ok(())
}
