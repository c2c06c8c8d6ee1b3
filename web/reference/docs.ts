import '../style/colours.css'
import '../style/base.css'
import '../style/parts.css'
import './reference.css'
import { showReference } from './viewer.ts'

await showReference(document.getElementById('reference')!)
