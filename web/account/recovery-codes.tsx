import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { Dialog } from '../parts/dialog.tsx'
import { NewCodes } from '../parts/recovery-codes.tsx'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { words } from './texts/words.ts'

interface RecoveryCodesProps {
  /** How many are left. */
  count: number
  /** Shows new codes. */
  onCodes: (codes: string[]) => void
}

export function RecoveryCodes({ count, onCodes }: RecoveryCodesProps) {
  const { recovery } = words
  const [isAsking, setIsAsking] = useState(false)
  return (
    <>
      <h2>{recovery.title}</h2>
      <p class="soft">{recovery.hint}</p>
      <p>{recovery.left(count)}</p>
      <button type="button" class="quiet" onClick={() => setIsAsking(true)}>
        {recovery.renew}
      </button>
      {isAsking && (
        <ConfirmDialog
          title={recovery.renewTitle}
          submit={recovery.renewSubmit}
          act={async () => onCodes((await client.renewRecoveryCodes()).recovery_codes)}
          onClose={() => setIsAsking(false)}
        >
          {recovery.renewWarning}
        </ConfirmDialog>
      )}
    </>
  )
}

export function NewCodesDialog({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  const { recovery } = words
  return (
    <Dialog title={recovery.shownTitle} onClose={onClose} isKeptOpen>
      <p>{recovery.shown}</p>
      <NewCodes codes={codes} onSaved={onClose} />
    </Dialog>
  )
}
