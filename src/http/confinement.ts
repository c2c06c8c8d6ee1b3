/** The calls of a session whose user must have a second factor and has not shown one in it: sign-in and enrolment. */
const freePaths = /^\/(auth|users\/me\/(factors|passkeys|totp))(\/|$)/

/** Whether a session may make this call without the second factor that its user must have. */
export function isFreeCall(method: string, path: string): boolean {
  return freePaths.test(path) || (path === '/users/me' && isRead(method))
}

/** Whether a method only reads. */
export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}
