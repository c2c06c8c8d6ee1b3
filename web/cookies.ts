/** Whether the browser blocks cookies, without which nobody stays signed in. */
export function areCookiesBlocked(): boolean {
  try {
    // Chromium says that cookies are enabled, and then forbids the storage together with them.
    void localStorage
    return !navigator.cookieEnabled
  } catch {
    return true
  }
}
