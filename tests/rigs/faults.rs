//! The faults that the suites ask for, as the simulators play them.

use counterfoil::conformance::{Fault, Strikes, Unable};
use counterfoil::simulator::{self, FaultPlan, FaultRule};
use http::Method;

/// Lets the next `requests` requests to `path` or below it meet a fault; 0 ends it.
pub(crate) fn plan(
    plan: &mut FaultPlan,
    fault: Fault,
    on: Strikes,
    path: &str,
    requests: usize,
) -> Result<(), Unable> {
    let fault = match fault {
        Fault::LostBefore => simulator::Fault::DropBefore,
        Fault::LostAfter => simulator::Fault::DropAfter,
        Fault::ServerErrorBefore => simulator::Fault::ErrorBefore,
        Fault::ServerErrorAfter => simulator::Fault::ErrorAfter,
        Fault::RateLimited => simulator::Fault::RateLimited,
        _ => return Err(Unable),
    };
    let times = u32::try_from(requests).unwrap_or(u32::MAX);
    plan.clear();
    if times > 0 {
        let method = match on {
            Strikes::Reads => Method::GET,
            Strikes::Writes => Method::POST,
        };
        let rule = FaultRule::next(fault).with_method(method).with_path(path);
        plan.script(rule.with_times(times));
    }
    Ok(())
}
