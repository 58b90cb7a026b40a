// P-states and C-states for the two CPUs of the rig's virtual machine, so that acpi-cpufreq and the ACPI idle
// driver of a stock kernel have something real to drive. Each P-state request is a byte written to an I/O port,
// where a QEMU debug console records it. All C-states say type 1 with FFixedHW, which the kernel enters by HLT;
// true SystemIO states would return at once and spin.
// With -D SHARED_POLICY both CPUs are one frequency domain (coordination: software, all CPUs).
DefinitionBlock ("cpupm.aml", "SSDT", 2, "PWRIG", "CPUPM", 1)
{
  External (\_SB.CPUS.C000, DeviceObj)
  External (\_SB.CPUS.C001, DeviceObj)

  // MHz, mW, transition latency us, bus master latency us, control value, status value
  Name (\PSTA, Package () {
    Package () { 3000, 40000, 10, 10, 0x30, 0x30 },
    Package () { 2400, 30000, 10, 10, 0x31, 0x31 },
    Package () { 1800, 20000, 10, 10, 0x32, 0x32 },
    Package () { 1200, 10000, 10, 10, 0x33, 0x33 }
  })
  // register, type, exit latency us, mW
  Name (\CSTA, Package () {
    3,
    Package () { ResourceTemplate () { Register (FFixedHW, 0, 0, 0) }, 1, 2, 1000 },
    Package () { ResourceTemplate () { Register (FFixedHW, 0, 0, 0) }, 1, 50, 500 },
    Package () { ResourceTemplate () { Register (FFixedHW, 0, 0, 0) }, 1, 400, 100 }
  })

  Scope (\_SB.CPUS.C000)
  {
    Method (_PPC, 0) { Return (0) }
    Name (_PCT, Package () {
      ResourceTemplate () { Register (SystemIO, 8, 0, 0x0A80) },
      ResourceTemplate () { Register (SystemIO, 8, 0, 0x0A80) }
    })
    Method (_PSS, 0) { Return (\PSTA) }
    Method (_CST, 0) { Return (\CSTA) }
#ifdef SHARED_POLICY
    Name (_PSD, Package () { Package () { 5, 0, 0, 0xFC, 2 } })
#endif
  }

  Scope (\_SB.CPUS.C001)
  {
    Method (_PPC, 0) { Return (0) }
    Name (_PCT, Package () {
      ResourceTemplate () { Register (SystemIO, 8, 0, 0x0A81) },
      ResourceTemplate () { Register (SystemIO, 8, 0, 0x0A81) }
    })
    Method (_PSS, 0) { Return (\PSTA) }
    Method (_CST, 0) { Return (\CSTA) }
#ifdef SHARED_POLICY
    Name (_PSD, Package () { Package () { 5, 0, 0, 0xFC, 2 } })
#endif
  }
}
