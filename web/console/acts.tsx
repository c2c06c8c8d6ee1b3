/** The actions on a user. Each first says what will happen. */
import { useState } from 'preact/hooks'
import type { AdministeredUser, Permission, Role } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { toast } from '../parts/toasts.tsx'
import { texts } from '../texts/language.ts'
import type { May } from './may.ts'
import { go } from './route.ts'
import { Select } from './select.tsx'
import { words } from './texts/words.ts'

type ActName = keyof typeof words.acts

interface Act {
  name: ActName
  permission: Permission
  isPossible: boolean
  isDangerous?: true
}

function actsOn({ status, email_deliverable: takesMail }: AdministeredUser): Act[] {
  return [
    { name: 'moderate', permission: 'profiles:moderate', isPossible: true },
    { name: 'activate', permission: 'users:activate', isPossible: status === 'pending' },
    { name: 'reinstate', permission: 'users:suspend', isPossible: status === 'suspended' },
    { name: 'role', permission: 'users:assign-role', isPossible: true },
    { name: 'reset', permission: 'users:reset-password', isPossible: status !== 'suspended' },
    { name: 'lift', permission: 'emails:manage', isPossible: !takesMail },
    { name: 'endSessions', permission: 'users:revoke-sessions', isPossible: true },
    { name: 'suspend', permission: 'users:suspend', isPossible: status !== 'suspended', isDangerous: true },
    { name: 'remove', permission: 'users:delete', isPossible: true, isDangerous: true },
  ]
}

interface ActsProps {
  user: AdministeredUser
  may: May
  onDone: () => void
}

export function Acts({ user, may, onDone }: ActsProps) {
  const [open, setOpen] = useState<Act>()
  const close = () => setOpen(undefined)
  const acts = actsOn(user).filter(({ permission, isPossible }) => isPossible && may(permission, user.role))

  function done(name: ActName): void {
    close()
    toast(words.acts[name].done)
    if (name === 'remove') go({})
    else onDone()
  }

  return (
    <div class="acts">
      {acts.map((act) => (
        <button key={act.name} type="button" class={act.isDangerous ? 'danger' : 'quiet'} onClick={() => setOpen(act)}>
          {words.acts[act.name].action}
        </button>
      ))}
      {open && <ActDialog act={open} user={user} onClose={close} onDone={() => done(open.name)} />}
    </div>
  )
}

interface ActDialogProps {
  act: Act
  user: AdministeredUser
  onClose: () => void
  onDone: () => void
}

const fields = ['reason', 'first_name', 'last_name', 'bio', 'avatar_url'] as const

function ActDialog({ act: { name, isDangerous }, user, onClose, onDone }: ActDialogProps) {
  const { action, warning } = words.acts[name]
  const [role, setRole] = useState<Role>(user.role)
  const form = useForm(fields, async ({ reason, ...profile }) => {
    if (name === 'suspend' && reason.trim() === '') return { reason: words.reasonMissing }
    try {
      await perform(name, user.id, { reason, role, profile })
    } catch (error) {
      if (hasCode(error, 'own_account')) return { form: words.ownAccount }
      if (hasCode(error, 'last_admin')) return { form: words.lastAdmin }
      throw error
    }
    onDone()
    return undefined
  })
  const field = (key: 'first_name' | 'last_name' | 'bio' | 'avatar_url', label: string) => (
    <TextField label={label} name={key} defaultValue={user[key] ?? ''} error={form.errorOf(key)} />
  )
  return (
    <Dialog title={action} onClose={onClose}>
      <p>
        <strong>{user.email}</strong>
      </p>
      <p>{warning}</p>
      <form {...form.props}>
        {name === 'suspend' && (
          <TextField label={words.reason} name="reason" maxLength={500} error={form.errorOf('reason')} />
        )}
        {name === 'role' && (
          <Select
            label={words.role}
            value={role}
            options={words.roles}
            hasAll={false}
            onChange={(value) => setRole(value as Role)}
          />
        )}
        {name === 'moderate' && (
          <>
            {field('first_name', words.firstName)}
            {field('last_name', words.lastName)}
            {field('bio', words.bio)}
            {field('avatar_url', words.avatarUrl)}
          </>
        )}
        <Submit form={form} busy={texts.common.loading} isDangerous={isDangerous ?? false}>
          {action.replace(/\s?…$/, '')}
        </Submit>{' '}
        <button type="button" class="quiet" onClick={onClose}>
          {texts.common.cancel}
        </button>
      </form>
    </Dialog>
  )
}

interface Given {
  reason: string
  role: Role
  profile: Record<'first_name' | 'last_name' | 'bio' | 'avatar_url', string>
}

async function perform(name: ActName, id: string, { reason, role, profile }: Given): Promise<void> {
  const { admin } = client
  const acts: Record<ActName, () => Promise<unknown>> = {
    moderate: () =>
      admin.updateProfile(
        id,
        Object.fromEntries(Object.entries(profile).map(([key, value]) => [key, value.trim() || null])),
      ),
    activate: () => admin.activate(id),
    suspend: () => admin.suspend(id, reason),
    reinstate: () => admin.reinstate(id),
    role: () => admin.assignRole(id, role),
    reset: () => admin.startPasswordReset(id),
    endSessions: () => admin.endSessions(id),
    lift: () => admin.liftEmailSuppression(id),
    remove: () => admin.deleteUser(id),
  }
  await acts[name]()
}
