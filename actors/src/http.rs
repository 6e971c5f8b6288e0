//! The HTTP side: who may ask what, and what is answered.

pub mod access;
mod admin;
mod api;
pub mod hosts;
mod conn_slots;
mod connection;
mod doors;
mod metrics;
mod negotiate;
mod page;
mod probes;
mod query;
mod entrance;
mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::header::ALLOW;
use actix_web::web;
use actix_web::{HttpResponse, Resource};
use tokio::sync::Semaphore;

use self::access::Access;
use self::doors::{PushRoom, PushRules};
use self::entrance::Entrance;
use self::hosts::Hosts;
pub use self::server::HttpStop;
use self::server::MORE_CONNECTIONS;
use crate::listen;
use crate::pipeline::PipelineHandle;
use crate::self_metrics::doors::Door;
use crate::settings::{HttpSettings, OtlpSettings};
use crate::status::model;

/// Searches that may be under way.
const SEARCHES: usize = 4;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct HttpState {
    pipeline: PipelineHandle,
    /// Whether metrics may be removed.
    enable_admin: bool,
    /// One survey at a time.
    surveys: Arc<Semaphore>,
    /// A few searches at a time.
    searches: Arc<Semaphore>,
    /// What pushes share; `None` where there are none.
    push: Option<Arc<PushRoom>>,
    /// How data points become samples.
    otlp: Arc<OtlpSettings>,
}

/// A server that listens, ready to be awaited.
pub struct HttpSide {
    /// Runs until it is stopped.
    pub server: Server,
    /// Stops it.
    pub stop: HttpStop,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

/// One route: its path, and how it is answered.
pub struct Route {
    /// The path, exactly.
    pub path: &'static str,
    /// What it answers to GET and HEAD, in a sentence for the documentation.
    pub meaning: &'static str,
    resource: fn(Resource) -> Resource,
}

/// Every route; the table in docs/debug.md comes from here.
pub static ROUTES: &[Route] = &[
    Route {
        path: "/metrics",
        meaning: "All series: in Prometheus' text format, or in OpenMetrics or its protobuf where `Accept` prefers that, with names as its `escaping` asks; zstd or gzip where `Accept-Encoding` allows it. 503 where no complete answer can be given. `?name[]=x` shows the families that print that name, `?shard=i&of=n` one of n parts of all series.",
        resource: |resource| pushed_to(get_and_head(resource, metrics::metrics)),
    },
    Route {
        path: "/metrics/",
        meaning: "As `/metrics`, for scrapers whose path ends in a slash.",
        resource: |resource| pushed_to(get_and_head(resource, metrics::metrics)),
    },
    Route {
        path: doors::pushgateway::GROUPING_PATH,
        meaning: "`POST` and `PUT`, with `Push.Enabled`: takes [what is pushed](push.md) as to a Pushgateway, `/metrics/job/NAME` and pairs of label and value behind it. So do `/metrics` and `/api/ui/metrics`, without labels. 202 once all of it is on the queue; 400 with the line and what is wrong there, and then nothing of it is.",
        resource: push_alone,
    },
    Route {
        path: doors::pushgateway::UI_PATH,
        meaning: "As `POST /metrics`.",
        resource: push_alone,
    },
    Route {
        path: "/",
        meaning: "200 and `ok` while the process serves, whatever Redis does; for browsers (`Accept: text/html`) the status page.",
        resource: |resource| get_and_head(resource, page::root),
    },
    Route {
        path: probes::HEALTHY,
        meaning: "200 while the process serves: for liveness probes.",
        resource: |resource| get_and_head(resource, probes::healthy),
    },
    Route {
        path: probes::READY,
        meaning: "200 while the queue can be read, else 503 and the reason: for readiness probes.",
        resource: |resource| get_and_head(resource, probes::ready),
    },
    Route {
        path: model::PATH,
        meaning: "How the gateway does, as JSON: rates, backlog, rejects, series, the last minutes, settings in force.",
        resource: |resource| get_and_head(resource, api::status),
    },
    Route {
        path: crate::rejects::PATH,
        meaning: "The last 256 refused samples as JSON, the newest first: when, why, by which door, what was expected and what was got, and the payload's first 512 bytes where `Http.ExposePayloads` is true; and the metrics whose samples come with other buckets or quantiles than their first one, with both; and the fields that were ignored because nobody reads them.",
        resource: |resource| get_and_head(resource, api::rejects),
    },
    Route {
        path: crate::cardinality::PATH,
        meaning: "Who has how much, as JSON: the 20 metrics with the most series, and the 20 label names with the most distinct values, exact up to 1,024 and estimated beyond. Looks at every series; one at a time.",
        resource: |resource| get_and_head(resource, api::cardinality),
    },
    Route {
        path: crate::search::PATH,
        meaning: "Metrics by a part of their names, and what their series hold, as JSON: `name` and `labels` are parts, in any letter case, of a metric's name and of labels as `/metrics` prints them; `exact=true` takes `name` for all of it; `limit` bounds the series (100 where it is absent, at most 1,000; 0 is metrics alone). The 50 best metrics, those with the most series first. 503 where `/metrics` shows no totals.",
        resource: |resource| get_and_head(resource, api::series),
    },
    Route {
        path: doors::otlp::PATH,
        meaning: "`POST` alone, and only with `Push.Enabled`: takes metrics by OTLP, protobuf or JSON, and answers when they are on the queue, with what was refused of them.",
        resource: |resource| {
            resource.route(web::post().to(doors::otlp::export)).default_service(web::to(|| async {
                HttpResponse::MethodNotAllowed().insert_header((ALLOW, "POST")).body("only POST\n")
            }))
        },
    },
    Route {
        path: admin::PATH,
        meaning: "`DELETE` alone, with a header `X-Requested-By` that says anything, and only with `Http.EnableAdmin`: removes a metric with its series, what is kept of expired ones, its type and its layout. Answers when all of it is gone; under exactly-once delivery when a checkpoint has that, 504 where none is written within three leases.",
        resource: |resource| {
            resource.route(web::delete().to(admin::remove)).default_service(web::to(|| async {
                HttpResponse::MethodNotAllowed()
                    .insert_header((ALLOW, "DELETE"))
                    .body("only DELETE\n")
            }))
        },
    },
];

/// Binds the addresses; serves the pipeline once the server is awaited.
pub fn bind(settings: &HttpSettings, pipeline: PipelineHandle) -> io::Result<HttpSide> {
    let health = || Arc::clone(&pipeline.metrics().http_config);
    let access = settings.access.as_ref().map(|access| Access::open(access, health()));
    let access = access.transpose()?;
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for address in &settings.listen {
        let listener = listen::tcp(*address)
            .map_err(|error| listen::named("Http.ListenAddress", address, &error))?;
        addresses.push(listener.local_addr()?);
        listeners.push(listener);
    }
    let connections = settings.max_connections + MORE_CONNECTIONS;
    let room = listen::make_room_for(connections, "Http.MaxConnections");
    let pushes = settings.push.as_ref().map(|push| PushRules {
        max_body_bytes: push.max_body_bytes,
        needs_login: push.needs_login,
    });
    let entrance = Entrance { access, hosts: Hosts::new(&settings.allowed_hosts), pushes };
    if pushes.is_some() {
        let doors = &pipeline.metrics().doors;
        [Door::Pushgateway, Door::Otlp].into_iter().for_each(|door| doors.open(door));
    }
    let state = HttpState {
        pipeline,
        enable_admin: settings.enable_admin,
        surveys: Arc::new(Semaphore::new(1)),
        searches: Arc::new(Semaphore::new(SEARCHES)),
        push: settings.push.as_ref().map(PushRoom::new),
        otlp: Arc::new(settings.otlp.clone()),
    };
    let (server, stop) = server::serve(listeners, room, state, Arc::new(entrance))?;
    Ok(HttpSide { server, stop, addresses })
}

/// Takes pushes besides, and says what is meant to those who would delete them.
fn pushed_to(resource: Resource) -> Resource {
    use doors::pushgateway::{no_delete, push};
    resource
        .route(web::post().to(push))
        .route(web::put().to(push))
        .route(web::delete().to(no_delete))
}

fn push_alone(resource: Resource) -> Resource {
    let refused = || async {
        HttpResponse::MethodNotAllowed()
            .insert_header((ALLOW, "POST, PUT"))
            .body("only POST and PUT\n")
    };
    pushed_to(resource).default_service(web::to(refused))
}

fn get_and_head<H, A>(resource: Resource, handler: H) -> Resource
where
    H: actix_web::Handler<A> + Clone,
    A: actix_web::FromRequest + 'static,
    H::Output: actix_web::Responder + 'static,
{
    let refused = || async {
        HttpResponse::MethodNotAllowed()
            .insert_header((ALLOW, "GET, HEAD"))
            .body("only GET and HEAD\n")
    };
    resource
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(refused))
}
