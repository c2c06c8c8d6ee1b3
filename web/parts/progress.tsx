import type { ComponentChildren } from 'preact'

/** What a screen reader hears of work that a button began: that it goes on, and why it failed. The failure is shown, too. */
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
