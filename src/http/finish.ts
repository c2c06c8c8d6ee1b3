/**
 * Finishes what a request has begun, even when its client goes away. The platform cancels the work of such a request,
 * at any `await`, unless somebody waits for it. Whoever guesses passwords could otherwise hang up after each attempt is
 * counted: no event would tell of it, and the owner would not be warned before the lock-out. A page that signs out and
 * closes would leave the session off the revocation list. Reads have nothing to finish.
 */
export function finishWithoutClient(
  { method }: Request,
  answered: Promise<Response>,
  execution: Pick<ExecutionContext, 'waitUntil'>,
): void {
  if (method !== 'GET' && method !== 'HEAD') execution.waitUntil(answered.catch(() => undefined))
}
