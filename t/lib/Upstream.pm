package Upstream;

# The provider of a test: a process of upstream.py and its control.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use IPC::Open2 qw(open2);
use JSON::PP ();

use Client;

my $folder = Cwd::abs_path(dirname(__FILE__));
my $json = JSON::PP->new->utf8->canonical;

# behaviours: name => behaviour, see upstream.py; tls => 1 opens two TLS ports.
sub start {
    my ($class, %args) = @_;
    my $tls = delete $args{tls};

    my $self = bless {
        owner => $$,
        dir => File::Temp->newdir('ai-proxy-upstream-XXXXXX', TMPDIR => 1),
    }, $class;
    my $file = "$self->{dir}/behaviours.json";
    open my $out, '>', $file or die "$file: $!";
    print $out $json->encode(\%args);
    close $out;

    my @command = ($ENV{PYTHON} // 'python3', "$folder/upstream.py",
        '--behaviours', $file);
    if ($tls) {
        $self->{certificates} = certificates();
        push @command, '--certificates', $self->{certificates};
    }

    # The library that a sanitizer run preloads is for nginx alone.
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    $self->{pid} = open2($self->{from}, $self->{to}, @command);
    my $ready = readline $self->{from};
    die "the upstream did not start\n"
        unless defined $ready && $ready =~ s/^ready //;
    @$self{qw(port tls_port wrong_port)} = split ' ', $ready;
    return $self;
}

sub folder { return $folder }

# A folder with certificates of a CA, and on request one that is expired and
# one that nobody signed.
sub certificates {
    my %more = map { $_ => 1 } @_;
    my $dir = File::Temp->newdir('ai-proxy-certs-XXXXXX', TMPDIR => 1);
    my $run = sub {
        my $log = "$dir/openssl.log";
        system("$_[0] >$log 2>&1") == 0
            or die "failed: $_[0]\n" . Gateway::slurp($log);
    };
    $run->("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        . "-nodes -days 2 -subj /CN=test-ca -keyout $dir/ca.key "
        . "-out $dir/ca.crt");
    my %names = (server => 'DNS:localhost,IP:127.0.0.1',
        wrong => 'DNS:somebody.example');
    $names{expired} = $names{server} if $more{expired};
    for my $name (sort keys %names) {
        open my $out, '>', "$dir/$name.ext" or die $!;
        print $out "subjectAltName=$names{$name}\n";
        close $out;
        $run->("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
            . "-nodes -subj /CN=$name -keyout $dir/$name.key "
            . "-out $dir/$name.csr");
        $run->("openssl x509 -req -in $dir/$name.csr -CA $dir/ca.crt "
            . "-CAkey $dir/ca.key -CAcreateserial "
            . '-days ' . ($name eq 'expired' ? -1 : 2) . ' '
            . "-extfile $dir/$name.ext -out $dir/$name.crt");
    }
    $run->("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        . "-nodes -days 2 -subj /CN=localhost -addext "
        . "subjectAltName=$names{server} -keyout $dir/self.key "
        . "-out $dir/self.crt") if $more{self};
    chmod 0755, "$dir";
    return $dir;
}

# Address of a behaviour for base_url.
sub url {
    my ($self, $name, $path) = @_;
    return "http://127.0.0.1:$self->{port}/x-$name" . ($path // '');
}

sub tls_url {
    my ($self, $name, $path) = @_;
    return "https://localhost:$self->{tls_port}/x-$name" . ($path // '');
}

# The same, with a certificate for somebody else.
sub wrong_url {
    my ($self, $name, $path) = @_;
    return "https://localhost:$self->{wrong_port}/x-$name" . ($path // '');
}

sub ca { return "$_[0]{certificates}/ca.crt" }

sub control {
    my ($self, $command, $data) = @_;
    my $reply = Client->new(port => $self->{port})
        ->post("/-/$command", $json->encode($data // {}));
    die "control $command failed\n" unless $reply->{status} == 200;
    return $json->decode($reply->{body});
}

sub behave { my ($self, %b) = @_; return $self->control('behave', \%b) }
sub open_gate { my ($self, $n) = @_; return $self->control('open', {name => $n}) }
sub clear { return $_[0]->control('clear') }

# The requests so far, of one behaviour or all.
sub requests {
    my ($self, $name) = @_;
    my $all = $self->control('log')->{requests};
    return grep { !defined $name || $_->{name} eq $name } @$all;
}

sub last_request { my @all = requests(@_); return $all[-1] }

# Connections that were made to the provider (the control's own not counted
# is impossible to tell: compare two values with requests in between).
sub connections {
    my ($self, $name) = @_;
    my %seen = map { $_->{connection} => 1 } $self->requests($name);
    return scalar keys %seen;
}

# Value of a request header, any case; undef when it is absent.
sub header {
    my ($request, $name) = @_;
    my @found = map { $_->[1] } grep { lc $_->[0] eq lc $name }
        @{ $request->{headers} };
    return wantarray ? @found : $found[0];
}

# Waits until the last request of the behaviour came to the outcome.
sub wait_outcome {
    my ($self, $name, $outcome, $seconds) = @_;
    my $until = Client::now() + ($seconds // 15);
    my $last;
    do {
        $last = $self->last_request($name);
        return $last if $last && $last->{outcome} eq $outcome;
        select undef, undef, undef, 0.02;
    } while (Client::now() < $until);
    return $last;
}

sub stop {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    close $self->{to};
    kill 'KILL', $self->{pid};
    local $?;
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}

sub DESTROY { $_[0]->stop }

1;
