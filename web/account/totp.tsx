import { useState } from 'preact/hooks'
import type { FactorList, TotpSetup as Setup } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { ago, moment } from '../format.ts'
import { useOneAtATime } from '../parts/one-at-a-time.ts'
import { toast } from '../parts/toasts.tsx'
import { refreshViews } from '../parts/views.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { TotpSetup } from './totp-setup.tsx'
import { words } from './texts/words.ts'

interface TotpProps {
  totp: FactorList['totp']
  /** Whether the first factor needs a code from an email. The service may ask for one later, too. */
  needsCode: boolean
  onCodes: (codes: string[]) => void
}

export function Totp({ totp, needsCode, onCodes }: TotpProps) {
  const { totp: its } = words
  const [setup, setSetup] = useState<Setup>()
  const [isRemoving, setIsRemoving] = useState(false)
  const { isBusy, run } = useOneAtATime()
  const begin = () =>
    run(async () => {
      try {
        setSetup(await client.startTotp())
      } catch (error) {
        refreshViews()
        toast(explain(error))
      }
    })
  return (
    <>
      <h2>{its.title}</h2>
      <p class="soft">{its.hint}</p>
      {totp !== null && (
        <p>
          <span class="badge">{its.isOn}</span>{' '}
          <time dateTime={totp.created_at} title={moment(totp.created_at)}>
            {its.since(ago(totp.created_at))}
          </time>
        </p>
      )}
      <span class="pair">
        <button type="button" class="quiet" aria-disabled={isBusy} onClick={() => void begin()}>
          {totp === null ? its.add : its.replace}
        </button>
        {totp !== null && (
          <button type="button" class="quiet" aria-label={its.removeOf} onClick={() => setIsRemoving(true)}>
            {its.remove}
          </button>
        )}
      </span>
      {setup && <TotpSetup setup={setup} needsCode={needsCode} onCodes={onCodes} onClose={() => setSetup(undefined)} />}
      {isRemoving && (
        <ConfirmDialog
          title={its.removeTitle}
          submit={its.removeSubmit}
          isDangerous
          act={() => client.removeTotp().then(() => toast(its.removed))}
          onClose={() => setIsRemoving(false)}
        >
          {its.removeWarning}
        </ConfirmDialog>
      )}
    </>
  )
}
