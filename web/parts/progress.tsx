import type { ComponentChildren } from 'preact'

/** Tells a screen reader that the work of a button goes on, or why it failed. The failure is shown, too. */
export function Progress({ busy, problem }: { busy: string | false; problem: ComponentChildren }) {
  return (
    <>
      <p class="unseen" role="status">
        {busy}
      </p>
      <div class="notice" role="alert">
        {problem}
      </div>
    </>
  )
}
