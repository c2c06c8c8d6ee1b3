/** A button after which the browser asks for a passkey. */
import { useState } from 'preact/hooks'
import { explain } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { useOneAtATime } from './one-at-a-time.ts'
import { Progress } from './progress.tsx'

interface Ceremony {
  isBusy: boolean
  problem: string | undefined
  start: () => Promise<void>
  /** Shows a failure. Those of `start` are shown already. */
  fail: (error: unknown) => void
}

/** @param work runs once at a time */
export function useCeremony(work: () => Promise<unknown>, explainFailure = explain): Ceremony {
  const [problem, setProblem] = useState<string>()
  const { isBusy, run } = useOneAtATime()
  const fail = (error: unknown) => setProblem(explainFailure(error))
  const start = () =>
    run(async () => {
      setProblem(undefined)
      await work().catch(fail)
    })
  return { isBusy, problem, start, fail }
}

interface PasskeyButtonProps {
  ceremony: Ceremony
  class: 'primary' | 'quiet'
  buttonRef?: { current: HTMLButtonElement | null }
  children: string
}

export function PasskeyButton({ ceremony, buttonRef = { current: null }, children, ...rest }: PasskeyButtonProps) {
  const { isBusy, problem, start } = ceremony
  const { waiting } = texts.secondStep
  return (
    <>
      <button type="button" {...rest} ref={buttonRef} aria-disabled={isBusy} onClick={() => void start()}>
        {isBusy ? waiting : children}
      </button>
      <Progress busy={isBusy && waiting} problem={problem} />
    </>
  )
}
