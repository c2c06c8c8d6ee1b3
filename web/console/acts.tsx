/** The actions on a user. Each first says what will happen. */
import { useState } from 'preact/hooks'
import type { AdministeredUser } from '../../client/src/index.ts'
import { toast } from '../parts/toasts.tsx'
import { ActDialog, type Result } from './act-dialog.tsx'
import type { Act } from './offers.ts'
import { go } from '../parts/route.ts'
import { listSeenLast } from './seen-list.ts'
import { words } from './texts/words.ts'

export function Acts({ user, acts }: { user: AdministeredUser; acts: readonly Act[] }) {
  const [open, setOpen] = useState<Act>()

  function end({ name }: Act, result: Result): void {
    setOpen(undefined)
    toast(result === 'done' ? words.acts[name].done : words[result])
    if (name === 'remove' && result === 'done') go(listSeenLast())
  }

  return (
    <div class="acts">
      {acts.map((act) => (
        <button key={act.name} type="button" class={act.isDangerous ? 'danger' : 'quiet'} onClick={() => setOpen(act)}>
          {words.acts[act.name].action}
        </button>
      ))}
      {open && (
        <ActDialog act={open} user={user} onClose={() => setOpen(undefined)} onEnd={(result) => end(open, result)} />
      )}
    </div>
  )
}
