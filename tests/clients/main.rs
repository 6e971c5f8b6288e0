//! The contract that the client packages in `clients/` keep, whatever their
//! language: what they send comes to what was called, and a Redis that fails
//! neither holds them up nor makes them count twice.
//!
//! Each package has a program `tests/driver`, which makes the calls that it reads.
//! A package's own `test` installs what that needs. A driver that does not push is
//! skipped, which is said; in CI it is a failure.

mod agreement;
mod calls;
mod drivers;
mod faults;
mod model;
mod native;
mod peers;

/// The tests of each driver, in a module of its name.
macro_rules! drivers {
    ($($name:ident: $language:literal $library:literal;)*) => {
        $(
            mod $name {
                use super::drivers::Driver;
                use super::{agreement, faults};

                const DRIVER: Driver = Driver { language: $language, library: $library };

                #[test]
                fn calls_come_to_the_model_by_redis() {
                    DRIVER.test(agreement::by_redis);
                }

                #[test]
                fn calls_come_to_the_model_by_the_embedded_queue() {
                    DRIVER.test(agreement::by_the_embedded_queue);
                }

                #[test]
                fn two_processes_add_up() {
                    DRIVER.test(agreement::of_two_processes);
                }

                #[test]
                fn each_process_pushes_to_one_partition() {
                    DRIVER.test(agreement::of_partitions);
                }

                #[test]
                fn names_are_of_any_script() {
                    DRIVER.test(agreement::of_any_script);
                }

                #[test]
                fn nothing_holds_a_flush_up() {
                    DRIVER.test(faults::nothing_holds_a_flush_up);
                }

                #[test]
                fn a_connection_that_was_cut_is_replaced() {
                    DRIVER.test(faults::a_connection_that_was_cut_is_replaced);
                }

                #[test]
                fn it_goes_on_after_an_outage_and_counts_nothing_twice() {
                    DRIVER.test(faults::it_goes_on_after_an_outage_and_counts_nothing_twice);
                }

                #[test]
                fn what_is_no_sample_is_dropped() {
                    DRIVER.test(faults::what_is_no_sample_is_dropped);
                }
            }
        )*
    };
}

drivers! {
    phpredis: "php" "phpredis";
    predis: "php" "predis";
    redis_py: "python" "redis-py";
    redis_py_asyncio: "python" "redis-py-asyncio";
    ioredis: "node" "ioredis";
    node_redis: "node" "node-redis";
    go_redis: "go" "go-redis";
}

/// The same calls by the library of others that a package has a bridge for.
macro_rules! instrumented {
    ($($name:ident: $language:literal $library:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let driver = drivers::Driver { language: $language, library: $library };
                driver.test(agreement::of_instrumented_code);
            }
        )*
    };
}

instrumented! {
    client_golang_comes_to_the_model: "go" "client_golang";
    prometheus_client_comes_to_the_model: "python" "prometheus_client";
    prom_client_comes_to_the_model: "node" "prom-client";
}

#[test]
fn native_histograms_of_client_golang_are_those_of_the_gateway() {
    let driver = drivers::Driver { language: "go", library: "client_golang" };
    driver.test(native::are_as_if_each_value_had_been_sent);
}

/// PromPHP comes from Packagist alone, which not every machine reaches, CI's either.
#[test]
fn prom_php_comes_to_the_model_where_there_is_a_copy() {
    let driver = drivers::Driver { language: "php", library: "promphp" };
    driver.test_where_it_is_at_hand(agreement::of_instrumented_code);
}
