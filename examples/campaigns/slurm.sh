#!/bin/bash
# Eight nodes share one campaign: an array job gives each task its number. The seed is that of the array job, so that all
# tasks have the same, and each night another. Submit it, and have the parts put together when all are done:
#
#   job=$(sbatch --parsable examples/campaigns/slurm.sh)
#   sbatch --dependency=afterany:$job --wrap "quorate merge store-$job/shard-*/ --out store"
#
# Slurm sends SIGTERM before it kills a task at the end of its time: that ends a campaign in good order. A task that is
# started again (sbatch --requeue) goes on where it was.
#SBATCH --job-name=quorate-torture
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=08:30:00
#SBATCH --requeue
set -euo pipefail

job=${SLURM_ARRAY_JOB_ID:?this is for sbatch}
task=${SLURM_ARRAY_TASK_ID:?this is for sbatch --array}
count=${SLURM_ARRAY_TASK_COUNT:-8}
store=store-$job/shard-$task

if [ -e "$store/torture/latest/campaign.toml" ]; then
  exec quorate torture --resume "$store/torture/latest"
fi
exec quorate torture --seed "$job" --budget 8h --shard "$task/$count" --store "$store" \
  --threads "${SLURM_CPUS_PER_TASK:-4}"
