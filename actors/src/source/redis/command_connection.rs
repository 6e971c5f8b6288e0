//! A command connection: the crate's connection on a stream that is logged in, for those who
//! ask little and need no speed.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisResult};
use tokio::task::AbortHandle;

use super::super::SourceError;
use super::bounded::{Bounded, SMALL_REPLY};
use super::connect::{Connected, Connector};
use super::error::crate_failed;
use crate::settings::Endpoint;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection and its driver task, which ends with the last clone of it.
#[derive(Clone)]
pub struct CommandConnection {
    pub connection: MultiplexedConnection,
    pub endpoint: Endpoint,
    is_asking: bool,
    driver: Arc<Driver>,
}

struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl CommandConnection {
    /// Connects to the primary, to ask what has small answers.
    pub async fn open(connector: &Connector) -> Result<Self, SourceError> {
        Self::open_for(connector, SMALL_REPLY).await
    }

    /// Connects to the primary, to ask what has answers of at most `most` bytes.
    pub async fn open_for(connector: &Connector, most: usize) -> Result<Self, SourceError> {
        let Connected { stream, endpoint, is_asking } = connector.connect().await?;
        let stream = Bounded::new(stream, most);
        // Logged in already: the crate is left nothing to say first.
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
        let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|cause| crate_failed("connecting", &cause))?;
        let driver = Arc::new(Driver(tokio::spawn(driver).abort_handle()));
        Ok(Self { connection, endpoint, is_asking, driver })
    }

    /// Whether the server has hung up: nothing that is asked now would reach it.
    pub fn is_lost(&self) -> bool {
        self.driver.0.is_finished()
    }

    /// Whether that is a clone of it.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver)
    }

    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        if !self.is_asking {
            return command.query_async(&mut self.connection).await;
        }
        let mut both = redis::pipe();
        both.cmd("ASKING").ignore().add_command(command.clone());
        let (answer,) = both.query_async(&mut self.connection).await?;
        Ok(answer)
    }
}
