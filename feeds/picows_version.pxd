# Types are imported in the order of their cimports, before a module's first line runs. To cimport this one first makes
# the check of feeds/picows_version.py run before Cython meets the objects of another picows and fails less clearly.
cdef extern from *:
    ctypedef class feeds.picows_version.Supported [object PyObject, check_size ignore]:
        pass
