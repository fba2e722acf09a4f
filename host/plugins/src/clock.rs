//! Local time.

/// The local time, formatted as by `strftime`.
#[must_use]
pub fn now(format: &str) -> String {
    let now = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::system());
    now.strftime(format).to_string()
}

/// The local time after some time has passed, formatted as by [`now`]; none if that is too far away.
#[must_use]
pub fn after(time: std::time::Duration, format: &str) -> Option<String> {
    let then = jiff::Timestamp::now().checked_add(time).ok()?;
    Some(then.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime(format).to_string())
}
