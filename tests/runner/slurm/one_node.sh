#!/usr/bin/env bash
# Starts a real Slurm on this machine alone, for tests/test_slurm.py: one node, its ports on loopback, its files in FOLDER.
#
#   apt-get install slurmctld slurmd slurm-client munge
#   tests/slurm/one_node.sh start FOLDER CPUS     then: export SLURM_CONF=FOLDER/slurm.conf
#   tests/slurm/one_node.sh stop FOLDER
#
# Needs root. FOLDER must be one that every user may enter.
set -euo pipefail
command=$1 folder=$2

stop() {
  for daemon in slurmd slurmctld munged; do
    if [ -f "$folder/$daemon.pid" ]; then
      kill "$(cat "$folder/$daemon.pid")" 2>/dev/null || true
    fi
  done
}

start() {
  mkdir -p "$folder/state" "$folder/spool" "$folder/munge"
  chown munge: "$folder/munge"
  chmod 755 "$folder/munge"
  (umask 077 && head -c 1024 /dev/urandom > "$folder/munge/key")
  chown munge: "$folder/munge/key"
  setpriv --reuid munge --regid munge --clear-groups munged \
    --key-file "$folder/munge/key" --socket "$folder/munge/socket" --pid-file "$folder/munge/munged.pid" \
    --log-file "$folder/munge/log" --seed-file "$folder/munge/seed"
  cp "$folder/munge/munged.pid" "$folder/munged.pid"
  host=$(hostname -s)
  cat > "$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
SlurmctldPort=16817
SlurmdPort=16818
SrunPortRange=61000-61100
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2
SlurmdParameters=config_overrides
KillWait=15
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$1 RealMemory=64000 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
  export SLURM_CONF=$folder/slurm.conf
  slurmctld
  slurmd -N "$host"
  for _ in $(seq 100); do
    if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then return; fi
    sleep 0.2
  done
  tail "$folder"/*.log >&2
  exit 1
}

shift 2
$command "$@"
