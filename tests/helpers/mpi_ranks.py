"""The communicator of the programs that run on several ranks."""

import os

from mpi4py import MPI
from numpy_adagrad.mpi.communicators import _links_key, duplicate

comm = MPI.COMM_WORLD

if MPI.Get_library_version().startswith("Open MPI") and os.environ.get("MPIR_CVAR_NUM_CLIQUES", "1") != "1":
    # Only MPICH plays several machines, as `mpi_job.launch` asks it to. Open MPI's ranks are told that there are links.
    duplicate(comm).Set_attr(_links_key(), True)
