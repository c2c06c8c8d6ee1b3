/** Another email for somebody who has received none. */
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { PosternError } from '../../client/src/index.ts'
import { explain, waitingTime } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { useOneAtATime } from './one-at-a-time.ts'

/** Most emails arrive by then. */
const pauseMs = 60_000
const hourMs = 3_600_000
/** `mailBudget` of the service. A test compares the two. */
const emailsPerHour = 5

/**
 * When the next email may be asked for. Once the budget of the address is used up, the service gives the same answer
 * and sends nothing.
 */
function nextTime(sent: readonly number[]): number {
  const oldest = sent.at(-emailsPerHour)
  return Math.max((sent.at(-1) ?? 0) + pauseMs, (oldest ?? -hourMs) + hourMs)
}

/** Mounted when the first email has been asked for. */
export function Resend({ ask }: { ask: () => Promise<unknown> }) {
  const { mail } = texts
  const id = useId()
  const sent = useRef([Date.now()])
  const [until, setUntil] = useState(() => nextTime(sent.current))
  const [now, setNow] = useState(Date.now)
  /** Announced. The time that is left is not: it would be read every second. */
  const [message, setMessage] = useState('')
  const [problem, setProblem] = useState<string>()
  const { isBusy, run } = useOneAtATime()
  const secondsLeft = Math.max(0, Math.ceil((until - now) / 1000))
  const isWaiting = secondsLeft > 0

  useEffect(() => {
    if (!isWaiting) return undefined
    const timer = setInterval(() => {
      setNow(Date.now())
      if (Date.now() >= until) setMessage(mail.againNow)
    }, 1000)
    return () => clearInterval(timer)
  }, [isWaiting, until])

  const send = () =>
    run(async () => {
      if (isWaiting) return
      setMessage('')
      setProblem(undefined)
      try {
        await ask()
        sent.current.push(Date.now())
        setUntil(nextTime(sent.current))
        setMessage(mail.sentAgain)
      } catch (error) {
        setProblem(explain(error))
        const seconds = error instanceof PosternError ? (error.retryAfterSeconds ?? 0) : 0
        setUntil(Date.now() + seconds * 1000)
      }
      setNow(Date.now())
    })

  return (
    <div>
      <button
        type="button"
        class="quiet"
        aria-disabled={isBusy || isWaiting}
        aria-describedby={id}
        onClick={() => void send()}
      >
        {isBusy ? mail.busy : mail.again}
      </button>
      <div class="hint" role="status">
        {message}
      </div>
      <div class="hint" id={id}>
        {isWaiting && mail.againIn(waitingTime(secondsLeft))}
      </div>
      <div class="notice" role="alert">
        {problem}
      </div>
    </div>
  )
}
