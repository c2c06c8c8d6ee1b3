import { useId } from 'preact/hooks'
import { words } from './texts/words.ts'

interface SelectProps {
  label: string
  value: string
  options: Readonly<Record<string, string>>
  onChange: (value: string) => void
  /** Whether the list starts with an entry for all. */
  hasAll?: boolean
}

export function Select({ label, value, options, onChange, hasAll = true }: SelectProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        {hasAll && <option value="">{words.all}</option>}
        {Object.entries(options).map(([option, name]) => (
          <option key={option} value={option}>
            {name}
          </option>
        ))}
      </select>
    </div>
  )
}
