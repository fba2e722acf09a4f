//! Local time.

/// The local time, formatted as by `strftime`.
#[must_use]
pub fn now(format: &str) -> String {
    let now = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::system());
    now.strftime(format).to_string()
}
