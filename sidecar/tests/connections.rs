//! Clients that are slow, silent, or many; and the end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Bed, Reply, TOKEN, request};
use sealward_sidecar::source::SourceKind;
use sealward_sidecar::source::fake::Faults;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const BODY: &[u8] = b"{\"random_data_length\":\"8\"}";

fn gen_random() -> Vec<u8> {
    request("gen-random", &[("x-auth-token", TOKEN)], BODY)
}

async fn bed(request: Duration, idle: Duration, max: u32) -> Bed {
    Bed::with(SourceKind::Folder, |config| {
        config.connections.deadlines.request = request;
        config.connections.deadlines.idle = idle;
        config.connections.max = max;
    })
    .await
}

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_mins(1);

/// Sends a byte at a time and returns how long it took until that failed, or all was sent.
async fn dribble(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> Result<(), Duration> {
    let begun = Instant::now();
    for byte in bytes {
        // A write into a connection that the other side closed succeeds once.
        let mut answer = [0; 1];
        let closed = tokio::select! {
            read = stream.read(&mut answer) => matches!(read, Ok(0) | Err(_)),
            () = tokio::time::sleep(pause) => false,
        };
        if closed || stream.write_all(&[*byte]).await.is_err() {
            return Err(begun.elapsed());
        }
    }
    Ok(())
}

#[tokio::test]
async fn cuts_a_client_that_sends_its_head_a_byte_at_a_time() {
    let bed = bed(SHORT, LONG, 16).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let took = dribble(&mut stream, &gen_random(), Duration::from_millis(20))
        .await
        .unwrap_err();
    assert!((SHORT..SHORT * 4).contains(&took), "{took:?}");
    assert_eq!(bed.send(&gen_random()).await.status, 200);
}

#[tokio::test]
async fn cuts_a_client_that_sends_its_body_a_byte_at_a_time() {
    let bed = bed(SHORT, LONG, 16).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let all = gen_random();
    let (start, rest) = all.split_at(all.len() - BODY.len());
    // On a connection that was idle before, the same holds.
    stream.write_all(&all).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 200);
    stream.write_all(start).await.unwrap();
    let took = dribble(&mut stream, rest, Duration::from_millis(40))
        .await
        .unwrap_err();
    assert!((SHORT..SHORT * 4).contains(&took), "{took:?}");
}

#[tokio::test]
async fn cuts_a_client_that_connects_and_says_nothing() {
    let bed = bed(SHORT, LONG, 16).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let begun = Instant::now();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert!((SHORT..SHORT * 4).contains(&begun.elapsed()));
}

#[tokio::test]
async fn keeps_an_idle_connection_for_its_time_and_no_longer() {
    let bed = bed(SHORT / 4, SHORT, 16).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(&gen_random()).await.unwrap();
        assert_eq!(Reply::read(&mut stream).await.status, 200);
        // Longer than a request may take.
        tokio::time::sleep(SHORT / 2).await;
    }
    let begun = Instant::now();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(begun.elapsed() < SHORT * 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_goes_on_after_a_pause_wherever_it_falls() {
    let bed = bed(LONG, LONG, 16).await;
    let pause = Duration::from_millis(600);
    let (one, mut stream) = (gen_random(), TcpStream::connect(bed.address).await.unwrap());
    // The front of a request comes together with the one before it.
    let (front, back) = one.split_at(50);
    stream.write_all(&[&one, front].concat()).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 200);
    tokio::time::sleep(pause).await;
    stream.write_all(back).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 200);
    tokio::time::sleep(pause).await;
    for part in one.chunks(one.len() / 3) {
        stream.write_all(part).await.unwrap();
        tokio::time::sleep(pause).await;
    }
    assert_eq!(Reply::read(&mut stream).await.status, 200);
}

#[tokio::test]
async fn the_rest_of_a_body_that_was_not_read_is_no_request() {
    let bed = bed(LONG, LONG, 16).await;
    let inner = gen_random();
    // Refused before its body, in which there is a request that would be served.
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let mut outer = request("gen-random", &[("x-auth-token", "wrong")], &[b' '; 9999]);
    outer.truncate(outer.len() - 9999);
    stream.write_all(&outer).await.unwrap();
    Reply::read(&mut stream).await.refused(403, "KMS.0302");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let _ = stream.write_all(&inner).await;
    assert_eq!(Reply::try_read(&mut stream).await, None);
}

#[tokio::test]
async fn an_answer_that_is_not_read_waits_for_its_reader() {
    let bed = bed(LONG, LONG, 16).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    // 1024 random bytes each: more than the sockets hold.
    let body = b"{\"random_data_length\":\"8192\"}";
    let one = request("gen-random", &[("x-auth-token", TOKEN)], body);
    let (mut reader, mut writer) = stream.split();
    let all = one.repeat(4000);
    let sending = async {
        writer.write_all(&all).await.unwrap();
    };
    let receiving = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        // Every answer is as long as the first.
        let mut received = vec![0; 1 << 16];
        let mut total = reader.read(&mut received).await.unwrap();
        let head = received
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        let each = head + "{\"random_data\":\"\"}".len() + 2048;
        while total < each * 4000 {
            let length = reader.read(&mut received).await.unwrap();
            assert_ne!(length, 0, "cut off after {total} bytes");
            total += length;
        }
        assert_eq!(total, each * 4000);
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_slow_client_keeps_nobody_else_waiting() {
    let bed = bed(LONG, LONG, 16).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(&gen_random()[..40]).await.unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    assert_eq!(bed.send(&gen_random()).await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_source_that_is_slow_keeps_nobody_else_waiting() {
    let bed = bed(LONG, LONG, 16).await;
    let sealed = bed.encrypt("x").await;
    let cold = bed.source.create("shop/cold".parse().unwrap());
    bed.settle().await;
    bed.source.set_faults(Faults {
        delay: Duration::from_secs(1),
        ..Faults::default()
    });
    let body = json!({"key_id": cold, "plain_text": "x"});
    let slow = bed.call("encrypt-data", &body);
    let fast = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = Instant::now();
        let reply = bed
            .call("decrypt-data", &json!({"cipher_text": sealed}))
            .await;
        (reply.status, begun.elapsed())
    };
    let (slow, (status, took)) = tokio::join!(slow, fast);
    assert_eq!((slow.status, status), (200, 200));
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[tokio::test]
async fn a_source_that_is_away_is_said_so() {
    let bed = Bed::start().await;
    bed.source.set_faults(Faults {
        unavailable: true,
        ..Faults::default()
    });
    let body = json!({"key_id": bed.key, "plain_text": "x"});
    bed.call("encrypt-data", &body)
        .await
        .refused(503, "KMS.0104")
        .says("injected fault");
    bed.call("list-keys", &json!({}))
        .await
        .refused(503, "KMS.0104");
}

#[tokio::test]
async fn tells_those_beyond_the_cap_and_serves_them_later() {
    let bed = bed(LONG, LONG, 3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(&gen_random()).await.unwrap();
        assert_eq!(Reply::read(&mut stream).await.status, 200);
        open.push(stream);
    }
    let mut fourth = TcpStream::connect(bed.address).await.unwrap();
    let reply = Reply::read(&mut fourth).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "KMS.0104"));
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(
        fourth.read(&mut [0; 1]).await.unwrap_or(0),
        0,
        "closed at once"
    );
    // Those who are in stay in.
    open[0].write_all(&gen_random()).await.unwrap();
    assert_eq!(Reply::read(&mut open[0]).await.status, 200);
    open.clear();
    bed.settle().await;
    assert_eq!(bed.send(&gen_random()).await.status, 200);
}

#[tokio::test]
async fn two_thousand_connections_leave_it_usable() {
    let bed = bed(LONG, LONG, 256).await;
    let mut open = Vec::new();
    for _ in 0..2000 {
        open.push(TcpStream::connect(bed.address).await.unwrap());
    }
    open.clear();
    // The kernel tells it about each of them.
    for _ in 0..100 {
        bed.settle().await;
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(&gen_random()).await.unwrap();
        if Reply::try_read(&mut stream)
            .await
            .is_some_and(|reply| reply.status == 200)
        {
            return;
        }
    }
    panic!("still refuses");
}

#[tokio::test]
async fn many_large_bodies_wait_for_each_other_and_all_arrive() {
    let bed = bed(LONG, LONG, 256).await;
    let body = format!("{{\"random_data_length\":\"8\"{}}}", " ".repeat(60_000));
    let large = request("gen-random", &[("x-auth-token", TOKEN)], body.as_bytes());
    let mut streams = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(&large).await.unwrap();
        streams.push(stream);
    }
    for stream in &mut streams {
        assert_eq!(Reply::read(stream).await.status, 200);
    }
}

#[tokio::test]
async fn shutdown_answers_what_has_begun_and_takes_no_more() {
    let bed = bed(LONG, LONG, 16).await;
    let cold = bed.source.create("shop/cold".parse().unwrap());
    bed.source.set_faults(Faults {
        delay: Duration::from_millis(300),
        ..Faults::default()
    });
    let body = json!({"key_id": cold, "plain_text": "x"}).to_string();
    let mut busy = TcpStream::connect(bed.address).await.unwrap();
    let request = request("encrypt-data", &[("x-auth-token", TOKEN)], body.as_bytes());
    busy.write_all(&request).await.unwrap();
    let mut idle = TcpStream::connect(bed.address).await.unwrap();
    idle.write_all(&gen_random()).await.unwrap();
    assert_eq!(Reply::read(&mut idle).await.status, 200);
    let address = bed.address;

    let begun = Instant::now();
    let ended = tokio::spawn(bed.stop());
    assert_eq!(
        idle.read(&mut [0; 1]).await.unwrap(),
        0,
        "an idle connection is closed"
    );
    assert_eq!(
        Reply::read(&mut busy).await.status,
        200,
        "what has begun is answered"
    );
    let lines = ended.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(lines.len(), 2, "audit lines are flushed");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_serve_a_client_that_goes_on_asking() {
    let bed = bed(LONG, LONG, 16).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    stream.write_all(&gen_random()).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 200);
    bed.shutdown.trigger();
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let sent = stream.write_all(&gen_random()).await;
        if sent.is_err() || Reply::try_read(&mut stream).await.is_none() {
            return;
        }
    }
    panic!("still served");
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let bed = Bed::with(SourceKind::Folder, |config| {
        config.connections.drain = Duration::from_millis(200);
    })
    .await;
    let mut slow = TcpStream::connect(bed.address).await.unwrap();
    slow.write_all(&gen_random()[..40]).await.unwrap();
    bed.settle().await;
    let begun = Instant::now();
    bed.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}
