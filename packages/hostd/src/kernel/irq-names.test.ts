import { expect, it } from 'vitest';
import { fixtureTree } from './fixture-tree.testkit.ts';
import { IrqNames } from './irq-names.ts';

it('names the handlers of an interrupt, until it is told to forget', () => {
  using tree = fixtureTree({ files: { 'sys/kernel/irq/27/actions': 'ahci,i801_smbus\n' } });
  const irqs = new IrqNames(`${tree.root}/`);
  expect([irqs.name(27), irqs.name(28)]).toEqual(['ahci,i801_smbus', '']);
  tree.set('sys/kernel/irq/27/actions', 'nvme0q1');
  expect(irqs.name(27)).toBe('ahci,i801_smbus');
  irqs.forget();
  expect(irqs.name(27)).toBe('nvme0q1');
});
