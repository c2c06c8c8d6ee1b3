import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { words } from './texts/words.ts'

/** Ends every session, and with them the trust in devices that skip the second factor. */
export function SignOutEverywhere() {
  const { everywhere: its } = words
  const [isAsking, setIsAsking] = useState(false)
  return (
    <>
      <button type="button" class="quiet" onClick={() => setIsAsking(true)}>
        {its.open}
      </button>
      {isAsking && (
        <ConfirmDialog
          title={its.title}
          submit={its.submit}
          isDangerous
          act={() => client.signOutEverywhere()}
          onClose={() => setIsAsking(false)}
        >
          {its.warning}
        </ConfirmDialog>
      )}
    </>
  )
}
