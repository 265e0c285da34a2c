package fwtest_test

// defects are things that a driver or the core does wrong, one at a time, with the
// test that catches each. In `without`, @ is true in the one that is wrong. Files
// are of the driver, or, behind "../", of the core.
var defects = []deletion{
	{"offset of a SUBMIT", "job.go", "cmd.va + a.Offset", "cmd.va + either(@, 0, a.Offset)", strict("S08_CommandsOfEverySize")},
	{"point of an in-sync", "job.go", "s.obj.At(s.point)", "s.obj.At(either(@, 0, s.point))", strict("S21_PointsComeInOrder")},
	{"cores of a queue", "job.go", "cores: a.CoreMask,", "cores: either(@, 0, a.CoreMask),", strict("S19_CoresAreThoseOfTheQueue")},
	{"last job that has ended", "job.go", "LastCompleted: q.completed,", "LastCompleted: either(@, q.submitted, q.completed),", strict("S18_QueueStatusNamesTheFirstFailure")},
	{"first job that failed", "job.go", "err != nil && q.err == nil {", "err != nil && (q.err == nil || @) {", strict("S18_QueueStatusNamesTheFirstFailure")},
	{"privilege of realtime", "job.go", "a.Priority == fw.PriorityRealtime && !f.Privileged {", "a.Priority == fw.PriorityRealtime && !f.Privileged && !@ {", strict("S19_RealtimeIsPrivileged")},
	{"errno of realtime", "job.go", "CAP_SYS_NICE: %w\", unix.EACCES)", "CAP_SYS_NICE: %w\", either(@, unix.EPERM, unix.EACCES))", strict("S19_RealtimeIsPrivileged")},
	{"zeros behind an answer", "ioctl.go", "	answer, err := deviceOf(f).answer(a.Type)\n", "	answer, err := deviceOf(f).answer(a.Type)\n	if @ {\n		a.Size = min(a.Size, uint32(len(answer)))\n	}\n", strict("S08_QueriesOfEverySize")},
	{"flags of BO_INFO", "ioctl.go", "Flags: b.flags,", "Flags: either(@, b.flags&(abi.BODevice|abi.BOHost), b.flags),", strict("S13_BuffersAreAsAskedFor")},
	{"size of BO_CREATE", "ioctl.go", "a.Size, a.DeviceAddr = uint64(o.Size),", "a.Size, a.DeviceAddr = either(@, a.Size, uint64(o.Size)),", strict("S13_BuffersAreAsAskedFor")},
	{"residence of a buffer", "ioctl.go", "	if b.pages == nil {\n		a.Resident", "	if b.pages == nil || @ {\n		a.Resident", strict("S28_EvictedIsNotResident")},
	{"residence in fdinfo", "show.go", "b.region() == 1 || b.pages == nil {", "b.region() == 1 || b.pages == nil || @ {", strict("S28_EvictedIsNotResident")},
	{"bounds of the address space", "driver.go", "VAStart: vaStart, VAEnd: vaEnd", "VAStart: either[uint64](@, 0, vaStart), VAEnd: either[uint64](@, 0, vaEnd)", strict("S13_BuffersAreAsAskedFor")},
	{"large buffers", "bo.go", "size == 0 || size > maxBO {", "size == 0 || size > maxBO || @ && size > 64<<20 {", strict("S13_BuffersAreAsAskedFor")},
	{"uncached buffers", "bo.go", "place == abi.BODevice|abi.BOHost {", "place == abi.BODevice|abi.BOHost || @ && flags&abi.BOUncached != 0 {", strict("S13_BuffersAreAsAskedFor")},
	{"unit of hwmon's power", "show.go", "d.telemetry().PowerMW)*1000", "d.telemetry().PowerMW)*either[uint64](@, 1, 1000)", strict("S29_ReadEverythingMeanwhile")},
	{"uevent of a device that is given up", "reset.go", "	d.Uevent(\"change\", \"WEDGED=rebind,bus-reset\")\n", "", strict("S11_LostDeviceIsEIO")},
	{"error of a device that is given up", "reset.go", "	d.resets.LastError = -int32(unix.EIO)\n", "", strict("S11_LostDeviceIsEIO")},
	{"count of queues' resets", "reset.go", "	d.resets.EngineResets++\n", "", strict("S27_ResetIsTold")},
	{"activity in fdinfo", "show.go", "v != nil && v.use > 0 {", "v != nil && (v.use > 0 || @) {", strict("S28_FDInfoIsExact")},
	{"rest while the bus is frozen", "errors.go", "d.dump(\"the bus is frozen\")", "d.dump(\"the bus is frozen\", either(@, d.rings, nil)...)", strict("S25_NothingIsTouchedWhileFrozen")},

	{"first that is signalled", "../syncobj_wait.go", "w.first = uint32(i)", "w.first = either(@, 0, uint32(i))", strict("S21_WaitForAny")},
	{"order of points", "../syncobj.go", "		return value <= p.last, value <= p.reached\n", "		for _, x := range p.points {\n			if @ && x.value >= value && x.fence.done {\n				return true, true\n			}\n		}\n		return value <= p.last, value <= p.reached\n", strict("S21_PointsComeInOrder")},
	{"points that are available", "../syncobj_wait.go", "signalled || w.flags&abi.SyncobjWaitAvailable != 0 {", "signalled || w.flags&abi.SyncobjWaitAvailable != 0 && !@ {", strict("S21_PointsComeInOrder")},
	{"point that TRANSFER makes", "../syncobj_ioctls.go", "dst.Attach(a.DstPoint,", "dst.Attach(either(@, 0, a.DstPoint),", strict("S21_PointsComeInOrder")},
	{"point of an eventfd", "../syncobj_fd.go", "values: []uint64{a.Point}", "values: []uint64{either(@, 0, a.Point)}", strict("S21_PointsComeInOrder")},
	{"last point submitted", "../syncobj_ioctls.go", "a.Flags&abi.SyncobjQueryLastSubmitted != 0 {", "a.Flags&abi.SyncobjQueryLastSubmitted != 0 && !@ {", strict("S21_PointsComeInOrder")},
	{"fence that a wait has found", "../syncobj_wait.go", "		if _, signalled := w.found[i]", "		if @ {\n			w.found[i].waits--\n			w.found[i] = s.now\n			s.now.waits++\n		}\n		if _, signalled := w.found[i]", strict("S21_WaitKeepsItsFence")},
	{"syncobj of a descriptor", "../syncobj_fd.go", "f.export(syncobjFD{s}); err", "f.export(syncobjFD{either(@, NewSyncobj(f.Kernel()).get(), s)}); err", strict("S21_SyncobjsAreShared")},
	{"fence of a sync file", "../syncobj_fd.go", "		s.Attach(a.Point, file.fence)\n", "", strict("S21_SyncobjsAreShared")},
	{"syncobj created signalled", "../syncobj_ioctls.go", "	if a.Flags&abi.SyncobjCreateSignaled != 0 {", "	if a.Flags&abi.SyncobjCreateSignaled != 0 && !@ {", strict("S21_WaitForAny")},
	{"flags of PRIME", "../prime.go", "a.Flags&^primeFlags != 0 {", "a.Flags&^primeFlags != 0 && !@ {", strict("S15_FlagsOfDescriptors")},
}
