import type { ErrorObject } from 'ajv';

/** What is wrong with a configuration, and where. */
export interface ConfigFlaw {
  path: (string | number)[];
  message: string;
}

/** The published JSON schema: the one place that says which keys there are and what each may be. */
export const schemaUrl = new URL('../../schema/hostd.schema.json', import.meta.url);

/** The first thing that the schema does not allow, or undefined. */
export async function findFlaw(raw: unknown): Promise<ConfigFlaw | undefined> {
  // Compiled ahead: ajv takes 60 ms to load and to compile the schema, a fifth of hostd's start.
  const { default: validate } = await import('../../schema/validate.js');
  if (validate(raw)) return undefined;
  return describe(validate.errors?.[0] as ErrorObject);
}

function describe(error: ErrorObject): ConfigFlaw {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = toKey(path);
  const given = shown(error.data);
  const schema = error.parentSchema as
    | { properties?: object; examples?: string[]; enum?: string[] }
    | undefined;
  if (error.propertyName !== undefined) {
    const name = [...path, error.propertyName];
    const allowed = schema?.enum?.join(', ') ?? `keys like ${schema?.examples?.join(' or ')}`;
    return { path: name, message: `${toKey(name)} is not a key; allowed here: ${allowed}` };
  }
  switch (error.keyword) {
    case 'additionalProperties': {
      const unknown = String(error.params.additionalProperty);
      const allowed = Object.keys(schema?.properties ?? {}).join(', ');
      return {
        path: [...path, unknown],
        message: `${toKey([...path, unknown])} is not a key; allowed here: ${allowed}`,
      };
    }
    case 'required':
      return { path, message: `${key} lacks ${error.params.missingProperty}` };
    case 'enum':
      return {
        path,
        message: `${key} must be one of ${error.params.allowedValues.join(', ')}, not ${given}`,
      };
    case 'type':
      return { path, message: `${key || 'the file'} must be ${typeName(error.params.type)}, not ${given}` };
    case 'minimum':
    case 'maximum': {
      const { minimum, maximum } = error.parentSchema as { minimum?: number; maximum?: number };
      const range = maximum === undefined ? `at least ${minimum}` : `from ${minimum} to ${maximum}`;
      return { path, message: `${key} must be ${range}, not ${given}` };
    }
    case 'pattern':
      return { path, message: `${key} must be like ${schema?.examples?.join(' or ')}, not ${given}` };
    default:
      return { path, message: `${key} ${error.message}, not ${given}` };
  }
}

const toKey = (path: (string | number)[]) =>
  path
    .map((part, index) => (/^\d+$/.test(String(part)) && index > 0 ? `[${part}]` : `.${part}`))
    .join('')
    .slice(1);

function typeName(type: string | string[]): string {
  const names: Record<string, string> = {
    integer: 'a whole number',
    number: 'a number',
    string: 'a text',
    object: 'a section of keys',
    array: 'a list',
  };
  return [type]
    .flat()
    .map((one) => names[one] ?? one)
    .join(' or ');
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
